/*===- sectile.h - public interface of the runtime library ---------*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Loads packages written by `sectile compile` and runs them. C99; link with
 * libsectile.so or libsectile_runtime.a.
 *
 *   char message[256];
 *   sectile_package *package;
 *   sectile_context *context;
 *   if (sectile_package_load("model.stpk", NULL, &package, message, sizeof message))
 *     return report(message);
 *   if (sectile_context_create(package, NULL, &context, message, sizeof message))
 *     return report(message);
 *
 *   int64_t dims[2] = {8, 128};
 *   sectile_tensor in = {.data = x, .bytes = sizeof x, .dtype = SECTILE_F32,
 *                        .rank = 2, .dims = dims};
 *   sectile_tensor out = {0};                    // null data: the context's memory
 *   if (sectile_context_run(context, &in, 1, &out, 1))
 *     return report(sectile_context_message(context));
 *   use(out.data, out.dims);                     // until the context's next call
 *
 *   sectile_context_destroy(context);
 *   sectile_package_release(package);
 *
 * TRUST. A package is native code: loading one runs it with the rights of your
 * process. The library checks that a package is whole and meant for it, which
 * catches accidents; it does not and cannot make a hostile package harmless.
 *
 * THREADS. A package is immutable and may be used by any number of threads. A
 * context runs one call at a time; different contexts of one package run
 * concurrently and share its weights and its worker threads. The library keeps
 * no state outside these objects, never exits, and lets no C++ exception out.
 *
 * MEMORY. A context owns one arena, which only grows: a run no larger than the
 * largest so far allocates nothing.
 *
 * COMPATIBILITY. SECTILE_API_VERSION changes only when a program built against
 * an older header would break; the shared library's name carries it. Within a
 * version, functions are added and structures that begin with `size` grow at
 * their end. Callers set `size` to sizeof of the structure they know:
 *   - options: members beyond `size` count as 0, and 0 always is the default;
 *     bytes that the library does not know must be 0, else SECTILE_UNSUPPORTED;
 *   - results: the library fills no more than `size` bytes, and zeroes what it
 *     does not know.
 * Structures without `size` (sectile_tensor, sectile_kernel_event) never change
 * within a version. Enumerations gain values.
 *===----------------------------------------------------------------------===*/

#ifndef SECTILE_SECTILE_H
#define SECTILE_SECTILE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SECTILE_API __attribute__((visibility("default")))
#else
#define SECTILE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define SECTILE_API_VERSION 1u

/** SECTILE_API_VERSION of the library in use. */
SECTILE_API uint32_t sectile_api_version(void);

/** Release of the library in use, e.g. "0.1.0". */
SECTILE_API const char *sectile_version(void);

/*===----------------------------------------------------------------------===*
 * Status, element types
 *===----------------------------------------------------------------------===*/

/** Result of every function that can fail. Each failure also leaves a message:
 * lower case, one line, expected and found with values. */
typedef enum sectile_status {
  SECTILE_OK = 0,
  SECTILE_INVALID_INPUT = 1,    /* a tensor's dtype, shape, buffer or value is refused */
  SECTILE_CAPACITY = 2,         /* a size beyond an alias capacity, or a buffer too small */
  SECTILE_INVALID_ARGUMENT = 3, /* misuse of this interface, or a bad environment variable */
  SECTILE_INVALID_PACKAGE = 4,  /* not a package, damaged, or its weights do not belong to it */
  SECTILE_UNSUPPORTED = 5,      /* this machine or this library lacks what the package needs */
  SECTILE_OUT_OF_MEMORY = 6,    /* an allocation failed; the object stays usable */
  SECTILE_SYSTEM = 7,           /* the operating system refused a file, mapping or thread */
  SECTILE_DEVICE = 8,           /* the device or its driver failed, in its own words */
  SECTILE_INTERNAL = 70         /* a bug in the package or the library */
} sectile_status;

/** Name of a status, e.g. "invalid input"; "unknown status" for other values. */
SECTILE_API const char *sectile_status_name(sectile_status status);

/** Element types of tensors. Values are stable. Elements of less than 8 bits and float8e8m0 come in
 * bytes: integers as SECTILE_I8 or SECTILE_U8 with their value, float4e2m1 and float8e8m0 as
 * SECTILE_U8 with their code. */
typedef enum sectile_dtype {
  SECTILE_F32 = 1,
  SECTILE_F64 = 2,
  SECTILE_F16 = 3,
  SECTILE_BF16 = 4,
  SECTILE_I8 = 5,
  SECTILE_I16 = 6,
  SECTILE_I32 = 7,
  SECTILE_I64 = 8,
  SECTILE_U8 = 9,
  SECTILE_U16 = 10,
  SECTILE_U32 = 11,
  SECTILE_U64 = 12,
  SECTILE_BOOL = 13, /* one byte, 0 or 1 */
  /* 8-bit floats as ONNX names them: OCP's two, and the two without negative zero and infinities.
   */
  SECTILE_F8E4M3FN = 14,
  SECTILE_F8E4M3FNUZ = 15,
  SECTILE_F8E5M2 = 16,
  SECTILE_F8E5M2FNUZ = 17
} sectile_dtype;

/** Name of an element type, e.g. "f32"; "unknown" for other values. */
SECTILE_API const char *sectile_dtype_name(int32_t dtype);

/** Bytes of one element; 0 for values that are no sectile_dtype. */
SECTILE_API uint32_t sectile_dtype_bytes(int32_t dtype);

/*===----------------------------------------------------------------------===*
 * Callbacks
 *===----------------------------------------------------------------------===*/

/** A source of memory. Both functions are set or neither; they may be called
 * from any thread that uses the object, and must not throw. */
typedef struct sectile_allocator {
  /** Returns `bytes` (> 0) bytes aligned to `alignment` (a power of two, at most
   * 4096), or null. The contents may be anything. */
  void *(*allocate)(void *user, size_t bytes, size_t alignment);
  /** Frees what allocate returned for the same `bytes`. */
  void (*deallocate)(void *user, void *memory, size_t bytes);
  void *user;
} sectile_allocator;

/** One task of a parallel region: `task(argument, index)`. */
typedef void (*sectile_task)(void *argument, int64_t index);

/** Runs task(argument, i) once for each i in [0, count), in any order, on any
 * threads, and returns when all are done. May be called by several contexts at
 * once. Running tasks one after another is correct. */
typedef void (*sectile_parallel_for)(void *user, int64_t count, sectile_task task, void *argument);

/** Importance of a log message. */
typedef enum sectile_log_level { SECTILE_LOG_WARNING = 1, SECTILE_LOG_INFO = 2 } sectile_log_level;

/** Receives a message without line end; may be called from any thread. */
typedef void (*sectile_log)(void *user, sectile_log_level level, const char *message);

/** One finished kernel launch. */
typedef struct sectile_kernel_event {
  uint32_t kernel;     /* index for sectile_package_get_kernel */
  uint32_t threads;    /* threads that were allowed to take part */
  int64_t begin_ns;    /* CLOCK_MONOTONIC */
  int64_t duration_ns; /* from call to return of the launch, forking and joining included */
  int64_t blocks;      /* size of the grid */
  int64_t bytes;       /* memory traffic if every operand moves once */
  int64_t operations;  /* arithmetic operations, a fused multiply-add counting two */
} sectile_kernel_event;

/** Receives each launch of a context, on the thread that runs it. */
typedef void (*sectile_kernel_hook)(void *user, const sectile_kernel_event *event);

/*===----------------------------------------------------------------------===*
 * Packages
 *===----------------------------------------------------------------------===*/

/** A loaded package: code, weights and worker threads. Immutable, reference
 * counted; each context holds a reference. */
typedef struct sectile_package sectile_package;

/** One launch of a kernel on a device that is not the CPU. */
typedef struct sectile_device_launch {
  uint32_t kernel;      /* index for sectile_package_get_kernel */
  uint32_t reserved;    /* 0 */
  int64_t blocks;       /* size of the linear grid, more than 0 */
  void *const *buffers; /* what sectile_package_get_image describes takes: first elements, ... */
  const int64_t *sizes; /* ... and integers, both in the order of the kernel's arguments */
  int64_t values[4];    /* out: of a check that failed */
  char message[512];    /* out: of a launch that failed */
} sectile_device_launch;

/** Who runs the kernels of a target other than the CPU. */
typedef struct sectile_device {
  /** Runs a kernel to completion on memory of the host. Returns 0, 1 + the index of the kernel's
   * check that failed, or -1 with a message. Called from one thread at a time for each context. */
  int32_t (*launch)(void *user, sectile_device_launch *launch);
  void *user;
} sectile_device;

/** Options of sectile_package_load; all zero but `size` is the default. */
typedef struct sectile_package_options {
  size_t size; /* sizeof(sectile_package_options) */
  /** Instruction-set level, e.g. "avx2". Null: $SECTILE_CPU_LEVEL if set, else
   * the best the CPU has. A level the CPU lacks is SECTILE_UNSUPPORTED. */
  const char *cpu_level;
  /** Threads that share the work of a kernel, the caller among them, at most
   * 1024. 0: $SECTILE_NUM_THREADS if set, else the CPUs this thread may use.
   * Workers start with the first context that wants them and sleep when idle. */
  uint32_t threads;
  uint32_t reserved; /* 0 */
  /** Replaces the library's workers: kernels are split into at most `threads`
   * tasks. Null: own workers. */
  sectile_parallel_for parallel_for;
  void *parallel_for_user;
  /** Serves all memory of the package and its contexts except mapped files and
   * thread stacks. Null functions: the C library. */
  sectile_allocator allocator;
  sectile_log log; /* null: nothing is logged */
  void *log_user;
  /** The target to use, by name. Null: "cpu" if the package has it, else its first. Packages load
   * for any target that they hold; running one other than the CPU takes a device. */
  const char *target;
  sectile_device device; /* null function: there is none */
  /** A GPU that the library itself runs kernels on: "cuda" or "hip", its first device, or "cuda:N",
   * "hip:N". The driver is found when the package is loaded (libcuda.so.1 or $SECTILE_CUDA_LIBRARY,
   * libamdhip64.so or $SECTILE_HIP_LIBRARY). Where `target` is null, the best of the package's
   * targets for that device is taken. Kernels are loaded and constants copied once, for all
   * contexts. Null: none. */
  const char *device_name;
} sectile_package_options;

/** Loads the package at `path`, and, if its weights lie in a file of their own,
 * that file, which must be a regular file beside the package (symbolic links in
 * `path` are followed first, a link in place of the weights is refused).
 *
 * While a package is loaded, loading the same path again shares its code and
 * constants even if the file has been replaced meanwhile.
 *
 * On success *package holds a reference that sectile_package_release gives up.
 * On failure *package is null. `message` (may be null) receives up to
 * message_bytes - 1 characters and a terminating 0. */
SECTILE_API sectile_status sectile_package_load(const char *path,
                                                const sectile_package_options *options,
                                                sectile_package **package, char *message,
                                                size_t message_bytes);

/** Adds a reference; returns `package`. */
SECTILE_API sectile_package *sectile_package_retain(sectile_package *package);

/** Gives up a reference; the last one stops the workers and unloads the code.
 * Null is allowed. Strings and structures from the queries below die with it. */
SECTILE_API void sectile_package_release(sectile_package *package);

/** Facts about a package as a whole. Strings live as long as the package. */
typedef struct sectile_package_info {
  size_t size; /* sizeof(sectile_package_info), set by the caller */
  const char *compiler_version;
  const char *model_name;
  const char *compile_options; /* the command-line options that shaped the package */
  const char *target;          /* the target in use */
  uint32_t num_inputs;
  uint32_t num_outputs;
  uint32_t num_symbols;
  uint32_t num_aliases;
  uint32_t num_targets;
  uint32_t num_kernels; /* of the target in use */
  uint32_t num_levels;  /* of the target in use, best last */
  uint32_t level;       /* the level in use */
  uint32_t threads;
  uint32_t reserved;
  const void *constants; /* null if there are none */
  uint64_t constants_bytes;
  uint64_t constants_hash;  /* XXH3-64, seed 0; sectile_package_load does not check it */
  const char *weights_file; /* name of the weights' own file or, with pieces, folder; or null */
  uint64_t num_pieces;      /* files that the constants lie in; 0 where they are in one place */
} sectile_package_info;

/** Fills *info. */
SECTILE_API sectile_status sectile_package_get_info(const sectile_package *package,
                                                    sectile_package_info *info);

/** A run of constants in a file of its own. */
typedef struct sectile_piece_info {
  size_t size;
  const char *name; /* of the file in the folder weights_file */
  uint64_t offset;  /* in the constants, in bytes */
  uint64_t bytes;
  uint64_t hash; /* XXH3-64, seed 0; sectile_package_load does not check it */
} sectile_piece_info;

/** SECTILE_INVALID_ARGUMENT for an index out of range. */
SECTILE_API sectile_status sectile_package_get_piece(const sectile_package *package, uint64_t index,
                                                     sectile_piece_info *info);

/** What an input or output looks like before its dynamic sizes are known. */
typedef struct sectile_tensor_info {
  size_t size; /* sizeof(sectile_tensor_info), set by the caller */
  const char *name;
  int32_t dtype; /* enum sectile_dtype */
  int32_t rank;
  const int64_t *dims; /* rank entries, -1 where dynamic */
  /** rank entries: each dimension as an expression over the package's symbols,
   * e.g. "batch", "2*seq+1", "768". Operators: + - * floordiv ceildiv mod,
   * min(a, b), max(a, b), parentheses. */
  const char *const *dim_exprs;
  int32_t alias; /* index for sectile_package_get_alias, -1 if none */
  int32_t reserved;
} sectile_tensor_info;

/** Fill *info; SECTILE_INVALID_ARGUMENT if `index` is out of range. */
SECTILE_API sectile_status sectile_package_get_input(const sectile_package *package, uint32_t index,
                                                     sectile_tensor_info *info);
SECTILE_API sectile_status sectile_package_get_output(const sectile_package *package,
                                                      uint32_t index, sectile_tensor_info *info);

/** Name of a symbol; null if `index` is out of range. */
SECTILE_API const char *sectile_package_get_symbol(const sectile_package *package, uint32_t index);

/** Name of a target, e.g. "cpu"; null if `index` is out of range. */
SECTILE_API const char *sectile_package_get_target(const sectile_package *package, uint32_t index);

/** Forms of a target's kernels. */
typedef enum sectile_image_kind {
  SECTILE_IMAGE_NVVM = 1, /* MLIR bytecode, for an emulator */
  SECTILE_IMAGE_PTX = 2,
  SECTILE_IMAGE_CUBIN = 3,
  SECTILE_IMAGE_ROCDL = 4, /* as NVVM, of AMD's devices */
  SECTILE_IMAGE_HSACO = 5  /* a code object of AMD's */
} sectile_image_kind;

typedef struct sectile_image_info {
  size_t size;  /* sizeof(sectile_image_info), set by the caller */
  int32_t kind; /* enum sectile_image_kind */
  uint32_t reserved;
  const void *data;
  uint64_t bytes;
} sectile_image_info;

/** Fills *info with an image of the target in use; SECTILE_INVALID_ARGUMENT if `index` is out of
 * range, which every index is for the CPU. */
SECTILE_API sectile_status sectile_package_get_image(const sectile_package *package, uint32_t index,
                                                     sectile_image_info *info);

/** What a kernel takes on a device that is not the CPU. */
typedef struct sectile_device_kernel_info {
  size_t size;          /* sizeof(sectile_device_kernel_info), set by the caller */
  int32_t threads;      /* of a block */
  int32_t registers;    /* of a thread; -1 where the package does not tell */
  int64_t shared_bytes; /* of a block */
  int64_t spill_bytes;  /* of a thread, stored and loaded; -1 where the package does not tell */
  int64_t launch_shared_bytes; /* of shared_bytes, what a launch has to give; the kernel declares
                                  the others */
} sectile_device_kernel_info;

/** Fills *info; SECTILE_INVALID_ARGUMENT if `kernel` is out of range or the target is the CPU. */
SECTILE_API sectile_status sectile_package_get_device_kernel(const sectile_package *package,
                                                             uint32_t kernel,
                                                             sectile_device_kernel_info *info);

/** An output that lives in the memory of an input (K/V caches). The buffer is
 * laid out row-major for `capacity` along `dim`, whatever the actual size of
 * `dim` in a call; all other extents are the call's. */
typedef struct sectile_alias_info {
  size_t size; /* sizeof(sectile_alias_info), set by the caller */
  uint32_t input;
  uint32_t output;
  int32_t dim;
  int32_t reserved;
  int64_t capacity; /* elements along dim; -1 where dim is static */
} sectile_alias_info;

/** Fills *info; SECTILE_INVALID_ARGUMENT if `index` is out of range. */
SECTILE_API sectile_status sectile_package_get_alias(const sectile_package *package, uint32_t index,
                                                     sectile_alias_info *info);

/** A kernel, apart from its code. */
typedef struct sectile_kernel_info {
  size_t size;             /* sizeof(sectile_kernel_info), set by the caller */
  const char *name;        /* unique in the package */
  const char *nodes;       /* names of the model's nodes, separated by ',' */
  const char *description; /* e.g. "f32[?,768] x f32[768,768]" */
  const char *schedule;    /* the tile sizes and other choices it was built with */
} sectile_kernel_info;

/** Fills *info; SECTILE_INVALID_ARGUMENT if `index` is out of range. */
SECTILE_API sectile_status sectile_package_get_kernel(const sectile_package *package,
                                                      uint32_t index, sectile_kernel_info *info);

/** An instruction-set level. */
typedef struct sectile_level_info {
  size_t size;        /* sizeof(sectile_level_info), set by the caller */
  const char *name;   /* e.g. "avx2" */
  uint32_t available; /* 1 if this CPU and operating system have all it needs */
  uint32_t reserved;
} sectile_level_info;

/** Fills *info; SECTILE_INVALID_ARGUMENT if `index` is out of range. */
SECTILE_API sectile_status sectile_package_get_level(const sectile_package *package, uint32_t index,
                                                     sectile_level_info *info);

/** The code of one kernel at one level. */
typedef struct sectile_kernel_code_info {
  size_t size;         /* sizeof(sectile_kernel_code_info), set by the caller */
  uint32_t vector_ops; /* in innermost loops: instructions on vectors */
  uint32_t scalar_ops; /* in innermost loops: arithmetic and stores on scalars */
  uint32_t num_loops;  /* innermost loops; 0 where the package does not tell */
  uint32_t reserved;
} sectile_kernel_code_info;

/** Fills *info; SECTILE_INVALID_ARGUMENT if an index is out of range. */
SECTILE_API sectile_status sectile_package_get_kernel_code(const sectile_package *package,
                                                           uint32_t level, uint32_t kernel,
                                                           sectile_kernel_code_info *info);

/** One innermost loop of a kernel's code, after optimisation. */
typedef struct sectile_loop_info {
  size_t size;         /* sizeof(sectile_loop_info), set by the caller */
  uint32_t vector_ops; /* instructions on vectors */
  uint32_t scalar_ops; /* arithmetic and stores on scalars */
} sectile_loop_info;

/** Fills *info; SECTILE_INVALID_ARGUMENT if an index is out of range. */
SECTILE_API sectile_status sectile_package_get_loop(const sectile_package *package, uint32_t level,
                                                    uint32_t kernel, uint32_t loop,
                                                    sectile_loop_info *info);

/*===----------------------------------------------------------------------===*
 * Contexts
 *===----------------------------------------------------------------------===*/

/** What one inference at a time needs: arena, scratch memory, outputs. */
typedef struct sectile_context sectile_context;

/** Options of sectile_context_create; all zero but `size` is the default. */
typedef struct sectile_context_options {
  size_t size; /* sizeof(sectile_context_options) */
  /** At most this many of the package's threads work for this context at once.
   * 0: all. 1: everything runs on the calling thread. */
  uint32_t threads;
  uint32_t reserved; /* 0 */
  /** Null: launches are not timed. On a GPU a launch that is timed is waited for, and its duration
   * is what the device measured. */
  sectile_kernel_hook kernel_hook;
  void *kernel_hook_user;
  /** On a GPU: a CUstream or hipStream_t of the package's device, which runs are ordered with.
   * Null: a stream of the context's own, which waits for no other. */
  void *stream;
  /** On a GPU: 1 lets the launches of a run become a graph, which later runs of equal sizes and
   * addresses launch as a whole. Runs that read memory on the way, to count or to decide, are not
   * captured. Refused where the driver has no graphs. */
  uint32_t capture;
  uint32_t reserved2; /* 0 */
} sectile_context_options;

/** Creates a context, which holds a reference to `package`. Failures as in
 * sectile_package_load. */
SECTILE_API sectile_status sectile_context_create(sectile_package *package,
                                                  const sectile_context_options *options,
                                                  sectile_context **context, char *message,
                                                  size_t message_bytes);

/** Frees the context, its arena and its outputs. Null is allowed. */
SECTILE_API void sectile_context_destroy(sectile_context *context);

/** Message of the context's last failed call; "" if there was none since. Valid
 * until the next call on the context. */
SECTILE_API const char *sectile_context_message(const sectile_context *context);

/** Where a tensor's data lies. */
typedef enum sectile_memory {
  SECTILE_HOST_MEMORY = 0,
  /** On the device that the package was loaded for by name, aligned to 16 bytes: as from
   * sectile_device_allocate, cuMemAlloc, hipMalloc or a framework that uses the device's primary
   * context. It is used as it is, never copied. What wrote it must be done, or come before in the
   * context's stream. */
  SECTILE_DEVICE_MEMORY = 1
} sectile_memory;

/** A tensor. All zero is an empty description. */
typedef struct sectile_tensor {
  /** First element, aligned to the element's size; row-major and contiguous,
   * except in aliases (sectile_alias_info). May be null where there are no
   * elements. */
  void *data;
  uint64_t bytes; /* size of the buffer at `data`: may exceed, never fall short */
  int32_t dtype;  /* enum sectile_dtype */
  int32_t rank;
  const int64_t *dims; /* rank entries */
  uint64_t memory;     /* enum sectile_memory: where `data` lies */
} sectile_tensor;

/** Computes output shapes without running. `inputs` are as in
 * sectile_context_run, except that `data` may be null unless the model computes
 * shapes from that input's values (then SECTILE_INVALID_INPUT says so); `bytes`
 * is looked at only there. Of each output, dtype, rank and dims are set as in
 * sectile_context_run, and `bytes` to the size its buffer needs; `data` is left
 * alone. Where data decides an extent (how many elements are not zero), it is
 * the most that it can be: the run tells what it is. */
SECTILE_API sectile_status sectile_context_infer_shapes(sectile_context *context,
                                                        const sectile_tensor *inputs,
                                                        size_t num_inputs, sectile_tensor *outputs,
                                                        size_t num_outputs);

/** Runs the model on all inputs, in the package's order.
 *
 * Inputs are checked: dtype, rank, static extents, equal symbols, buffer sizes;
 * a violation names tensor, expected and found, and nothing is run. Inputs are
 * only read, except aliased ones.
 *
 * Outputs, in the package's order: where `data` is set, `bytes` is the buffer's
 * size and the result goes there; it must not overlap an input or another
 * output. Where `data` is null, the result lies in memory of the context, valid
 * until its next call, and `data` and `bytes` are set. dtype, rank and dims are
 * set in either case; `dims` points into the context, valid until its next call.
 *
 * On a GPU, inputs in memory of the host are copied to the device first, and outputs there copied
 * back last; those in its own memory are used in place. A null output with memory set to
 * SECTILE_DEVICE_MEMORY stays in the context's memory on the device. The call returns when all is
 * done.
 *
 * Aliases: the input's buffer must hold the whole capacity. The output's `data`
 * is null or the input's; it is set to the input's.
 *
 * After a failure the contents of output buffers (and of aliased inputs) are
 * unspecified and the descriptions of outputs unchanged. The context stays
 * usable. */
SECTILE_API sectile_status sectile_context_run(sectile_context *context,
                                               const sectile_tensor *inputs, size_t num_inputs,
                                               sectile_tensor *outputs, size_t num_outputs);

/** Value of symbol `index` in the last successful call; -1 if out of range or
 * if there was none. */
SECTILE_API int64_t sectile_context_get_symbol(const sectile_context *context, uint32_t index);

/** Memory a context holds now, in bytes. */
typedef struct sectile_context_memory {
  size_t size; /* sizeof(sectile_context_memory), set by the caller */
  uint64_t arena_bytes;
  uint64_t scratch_bytes; /* for all threads together */
  uint64_t output_bytes;  /* outputs in the context's memory */
  uint64_t device_bytes;  /* on a GPU, for all purposes */
} sectile_context_memory;

/** Fills *memory. */
SECTILE_API sectile_status sectile_context_get_memory(const sectile_context *context,
                                                      sectile_context_memory *memory);

/*===----------------------------------------------------------------------===*
 * Memory of a GPU, for those who have no interface of their own to it
 *===----------------------------------------------------------------------===*/

/** Memory on the device that `package` was loaded for by name, aligned to 256 bytes. Give it back
 * with sectile_device_free before the package. `message` as in sectile_package_load. */
SECTILE_API sectile_status sectile_device_allocate(sectile_package *package, uint64_t bytes,
                                                   void **memory, char *message,
                                                   size_t message_bytes);
SECTILE_API sectile_status sectile_device_free(sectile_package *package, void *memory,
                                               char *message, size_t message_bytes);

/** Copy between memory of the host and of the device, and return when that is done. Neither waits
 * for runs of contexts on streams of the caller's. */
SECTILE_API sectile_status sectile_device_upload(sectile_package *package, void *to,
                                                 const void *from, uint64_t bytes, char *message,
                                                 size_t message_bytes);
SECTILE_API sectile_status sectile_device_download(sectile_package *package, void *to,
                                                   const void *from, uint64_t bytes, char *message,
                                                   size_t message_bytes);

#ifdef __cplusplus
}
#endif

#endif /* SECTILE_SECTILE_H */
