/*===- Abi.h - binary interface between a package and its runtime --*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * A package is a shared object that exports one data symbol,
 * SECTILE_PACKAGE_SYMBOL, of type sectile_package_descriptor. The compiler
 * (lib/Codegen) emits these structures as constants; the runtime (lib/Runtime)
 * reads them. Nothing here depends on LLVM, and nothing here is for users:
 * their interface is sectile/sectile.h.
 *
 * Who calls whom, once per inference:
 *
 *   runtime --prepare(call)--> host program   bind symbols, check inputs, fill
 *                                             output dims and arena_bytes
 *   runtime: grows the arena if it is too small, allocates outputs if asked
 *   runtime --run(call)------> host program
 *                 host program --call->launch--> runtime   one per kernel
 *                                 runtime --info, run--> kernel code
 *
 * Rules that keep old packages loadable: only the structures that begin with
 * their size (descriptor and call) grow, and only at their end; readers look no
 * further than the `size` the writer stored; any other change raises
 * SECTILE_PACKAGE_ABI. The others never grow: they are elements of arrays, whose
 * stride is fixed, or (launch_info) are written by the package into the
 * runtime's memory. More about them goes into new arrays at the descriptor's
 * end. All sizes are in bytes unless named otherwise; all structures use the C
 * layout of the host.
 *
 * Packages hold no state: several threads may be inside prepare, run and
 * kernels at once, each with its own call. Fields called reserved are 0, and a
 * reader refuses other values. Code of a package neither throws nor exits.
 *===----------------------------------------------------------------------===*/

#ifndef SECTILE_PACKAGE_ABI_H
#define SECTILE_PACKAGE_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SECTILE_PACKAGE_SYMBOL "sectile_package"
#define SECTILE_PACKAGE_MAGIC 0x4b505453u /* "STPK", little endian */
#define SECTILE_PACKAGE_ABI 1u

/** Element types of tensors at the package boundary. Values are stable. */
enum sectile_abi_dtype {
  SECTILE_ABI_F32 = 1,
  SECTILE_ABI_F64 = 2,
  SECTILE_ABI_F16 = 3,
  SECTILE_ABI_BF16 = 4,
  SECTILE_ABI_I8 = 5,
  SECTILE_ABI_I16 = 6,
  SECTILE_ABI_I32 = 7,
  SECTILE_ABI_I64 = 8,
  SECTILE_ABI_U8 = 9,
  SECTILE_ABI_U16 = 10,
  SECTILE_ABI_U32 = 11,
  SECTILE_ABI_U64 = 12,
  SECTILE_ABI_BOOL = 13, /* one byte, 0 or 1 */
  SECTILE_ABI_F8E4M3FN = 14,
  SECTILE_ABI_F8E4M3FNUZ = 15,
  SECTILE_ABI_F8E5M2 = 16,
  SECTILE_ABI_F8E5M2FNUZ = 17
};

/** Status codes of host programs and kernels; 0 is success. */
enum sectile_abi_status {
  SECTILE_ABI_OK = 0,
  SECTILE_ABI_INVALID_INPUT = 1, /* a shape, index or value the model refuses */
  SECTILE_ABI_CAPACITY = 2,      /* beyond an alias capacity or a bound */
  SECTILE_ABI_INTERNAL = 70
};

/** CPU features a level may require, as bits of
 * sectile_abi_level.required_features. */
enum sectile_abi_cpu_feature {
  SECTILE_ABI_X86_V2 = 1 << 0,         /* SSE4.2, POPCNT, ... */
  SECTILE_ABI_X86_V3 = 1 << 1,         /* AVX2, FMA, BMI2, F16C, ... */
  SECTILE_ABI_X86_V4 = 1 << 2,         /* AVX-512 F, BW, CD, DQ, VL */
  SECTILE_ABI_X86_AVX512VNNI = 1 << 3, /* AVX-512 VNNI */
  SECTILE_ABI_X86_AVX512VBMI = 1 << 4, /* AVX-512 VBMI */
  SECTILE_ABI_AARCH64_NEON = 1 << 16
};

/** One input or output of the model. */
typedef struct sectile_abi_tensor {
  const char *name;
  int32_t dtype; /* enum sectile_abi_dtype */
  int32_t rank;
  const int64_t *dims; /* rank entries, -1 where dynamic */
  /** rank entries, e.g. "batch", "2*seq+1", "768". Terms are decimal numbers and
   * names of descriptor.symbols; operators are + - * floordiv ceildiv mod with
   * the usual precedence, min(a, b), max(a, b) and parentheses. */
  const char *const *dim_exprs;
} sectile_abi_tensor;

/** One kernel, apart from its code: what reports and profiles show. */
typedef struct sectile_abi_kernel {
  const char *name;        /* unique in the package */
  const char *nodes;       /* source nodes, separated by ',' */
  const char *description; /* e.g. "f32[?,768] x f32[768,768]" */
  const char *schedule;    /* the text of its #tile.schedule */
} sectile_abi_kernel;

/** What a kernel reports about one launch. */
typedef struct sectile_abi_launch_info {
  int64_t blocks;        /* size of the linearised grid; 0 means nothing to do */
  int64_t scratch_bytes; /* private memory each running thread needs, 64-byte aligned */
  int64_t bytes;         /* memory traffic if every operand moves once */
  int64_t operations;    /* arithmetic operations, a fused multiply-add counting two */
} sectile_abi_launch_info;

/** Code of one kernel at one instruction-set level.
 *
 * `bufs` and `sizes` are what the host program passed to launch: the base
 * pointers of the kernel's views in order, and its integer arguments.
 *
 * `run` executes blocks [begin, end) of the linearised grid; disjoint ranges
 * may run on different threads at the same time. It returns 0, or 1 + the
 * index into `failures` of the first check that failed in block order, with
 * values for the message's placeholders in `values`, which has 4 entries, 0 at
 * entry. launch then returns SECTILE_ABI_INVALID_INPUT.
 *
 * `info` is pure and cheap: the runtime calls it once per launch.
 */
typedef struct sectile_abi_kernel_code {
  void (*info)(void *const *bufs, const int64_t *sizes, sectile_abi_launch_info *out);
  int32_t (*run)(void *const *bufs, const int64_t *sizes, int64_t begin, int64_t end, void *scratch,
                 int64_t *values);
  const char *const *failures; /* messages; "%0".."%3" stand for values */
  int32_t num_failures;
  uint32_t vector_ops; /* in innermost loops: instructions on vectors */
  uint32_t scalar_ops; /* in innermost loops: arithmetic and stores on scalars */
} sectile_abi_kernel_code;

/** One innermost loop of a kernel's code, after optimisation. */
typedef struct sectile_abi_loop {
  uint32_t vector_ops; /* instructions on vectors */
  uint32_t
      scalar_ops; /* arithmetic and stores on scalars that are data, not addresses or control */
} sectile_abi_loop;

/** All kernels compiled for one instruction-set level. */
typedef struct sectile_abi_level {
  const char *name;                       /* "sse4", "avx2", "avx512", "avx512vnni", "neon" */
  uint64_t required_features;             /* enum sectile_abi_cpu_feature; the CPU must have all */
  const sectile_abi_kernel_code *kernels; /* num_kernels entries */
} sectile_abi_level;

/** Forms of a target's kernels for a device other than the CPU. Values are stable. */
enum sectile_abi_image_kind {
  SECTILE_ABI_IMAGE_NVVM = 1, /* MLIR bytecode: the program of a thread in the LLVM and NVVM
                                 dialects, which an emulator executes */
  SECTILE_ABI_IMAGE_PTX = 2,  /* text, for a driver to assemble */
  SECTILE_ABI_IMAGE_CUBIN = 3,
  SECTILE_ABI_IMAGE_ROCDL = 4, /* as NVVM, for AMD */
  SECTILE_ABI_IMAGE_HSACO = 5  /* a code object */
};

typedef struct sectile_abi_image {
  uint32_t kind;     /* enum sectile_abi_image_kind */
  uint32_t reserved; /* 0 */
  const void *data;
  uint64_t bytes;
} sectile_abi_image;

/** What a launch of one kernel on a device takes. */
typedef struct sectile_abi_device_kernel {
  int32_t threads;      /* of a block, all along x */
  int32_t registers;    /* of a thread, in 32 bits; -1 where no assembler was there to tell */
  int64_t shared_bytes; /* of a block, see launch_shared for who provides them */
  int64_t spill_bytes;  /* stored and loaded by a thread; -1 like registers */
} sectile_abi_device_kernel;

/** What a target has beside code of the CPU. A kernel's arguments are those of `run`, each buffer
 * followed by the sizes that belong to it, as the type of the image's function says; a kernel with
 * failure messages takes a pointer to 5 integers behind them, all 0 before the launch: 1 + the
 * index of the check that failed and its 4 values. */
typedef struct sectile_abi_device {
  uint32_t num_images; /* 0: the target is the CPU */
  /** 1: prepare and run reach what data pointers, arena and constants point to by the calls `read`
   * and `copy` alone, so that it may be memory of the device. 0: in packages before there were
   * these calls, whose launches take memory of the host. */
  uint32_t calls_for_memory;
  const sectile_abi_image *images;
  const sectile_abi_device_kernel *kernels; /* num_kernels of the target */
  uint64_t constants_offset; /* of the target's constants in the package's, a multiple of 4096 */
} sectile_abi_device;

struct sectile_abi_call;

/** Code for one device family. */
typedef struct sectile_abi_target {
  const char *name; /* "cpu", or a device such as "sm_80", whose levels have one entry, the host's,
                       in which `run` of every kernel is null */
  uint32_t num_kernels;
  uint32_t num_levels;
  const sectile_abi_kernel *kernels;
  const sectile_abi_level *levels; /* best last */
  /** Reads input_dims, fills symbols, output_dims, arena_bytes. Touches no data
   * pointer, except inputs whose values are shapes; a null one among these (the
   * user only asks for output shapes) is SECTILE_ABI_INVALID_INPUT. May be called
   * without a run, and is called again before each run. The runtime has checked
   * dtypes, ranks and static dims, and that no extent is negative; the rest is
   * for prepare to check. Returns a status. */
  int32_t (*prepare)(struct sectile_abi_call *call);
  /** Runs the model. Of extents that data decides, prepare told the most that they
   * can be, and run stores what they are in output_dims. `arena` holds at least arena_bytes,
   * 64-byte aligned; data pointers are aligned to their element, and may be null where a tensor has
   * no elements. Returns a status. */
  int32_t (*run)(struct sectile_abi_call *call);
} sectile_abi_target;

/** An output that lives in the same memory as an input (K/V caches). The
 * buffer is laid out row-major for `capacity` along `dim` (every other extent is
 * the actual one, and the same for both); the actual size comes with each call,
 * and one above the capacity is SECTILE_ABI_CAPACITY. Both tensors have one
 * dtype and rank, and appear in one alias at most. In run, input_data and
 * output_data of an alias are the same pointer. */
typedef struct sectile_abi_alias {
  int32_t input;
  int32_t output;
  int32_t dim;      /* the growing dimension */
  int32_t reserved; /* 0 */
  int64_t capacity; /* extent of `dim` in memory; -1 if the dimension is static */
} sectile_abi_alias;

/** What the offsets of pieces are multiples of: pages of every host. */
#define SECTILE_PIECE_ALIGNMENT 65536u
#define SECTILE_PIECE_NAME_BYTES 32
#define SECTILE_PIECE_MAGIC 0x57454c4954434553u /* "SECTILEW", little endian */

/** A run of constants in a file of its own, which other packages may share: its name tells what is
 * in it. What lies between pieces is never read. */
typedef struct sectile_abi_piece {
  uint64_t offset; /* in the constants, a multiple of SECTILE_PIECE_ALIGNMENT */
  uint64_t bytes;  /* not 0 */
  uint64_t hash;   /* XXH3-64 of the bytes, seed 0 */
  /** Of the file: SECTILE_PIECE_NAME_BYTES digits of 0-9, a-f. */
  const char *name;
} sectile_abi_piece;

/** What follows a piece's bytes in its file, at whatever alignment, and ends it. */
typedef struct sectile_abi_piece_end {
  uint64_t magic; /* SECTILE_PIECE_MAGIC */
  uint64_t bytes, hash;
  char name[SECTILE_PIECE_NAME_BYTES]; /* not terminated */
} sectile_abi_piece_end;

/** State of one inference, owned by the runtime. */
typedef struct sectile_abi_call {
  uint64_t size; /* sizeof(sectile_abi_call) of the runtime */
  void *const *input_data;
  const int64_t *const *input_dims; /* actual extents, row-major contiguous unless aliased */
  void *const *output_data;         /* valid in run */
  int64_t *const *output_dims;      /* filled by prepare; rank entries each */
  int64_t *symbols;                 /* descriptor.num_symbols entries, filled by prepare */
  void *arena;                      /* valid in run */
  uint64_t arena_bytes;             /* filled by prepare */
  const void *constants;            /* base of the constants section */
  /** Runs a kernel to completion. Returns 0 or a status that run must return. */
  int32_t (*launch)(struct sectile_abi_call *call, uint32_t kernel, void *const *bufs,
                    const int64_t *sizes);
  /** Records an error; returns `status` so that a caller can return it at once.
   * "%0".."%9" in `message` stand for values[0]..values[9]. The text is copied.
   * May be called from prepare and run, on their thread. */
  int32_t (*fail)(struct sectile_abi_call *call, int32_t status, const char *message,
                  const int64_t *values, int32_t num_values);
  /* Not in runtimes before devices had memory of their own, which refuse what needs them
   * (sectile_abi_device.calls_for_memory). */
  /** Copies `bytes` bytes from where data pointers, arena or constants lie to memory of the host,
   * behind everything that was launched and copied before. Returns 0 or a status that the caller
   * must return. May be called from prepare and run. */
  int32_t (*read)(struct sectile_abi_call *call, void *to, const void *from, uint64_t bytes);
  /** Copies a tensor within that memory; strides count elements, sizes and strides have `rank`
   * entries. The two sides are the same or apart. May be called from run. */
  int32_t (*copy)(struct sectile_abi_call *call, void *to, const int64_t *to_strides,
                  const void *from, const int64_t *from_strides, const int64_t *sizes, int32_t rank,
                  int32_t element_bytes);
} sectile_abi_call;

/** The exported symbol. */
typedef struct sectile_package_descriptor {
  uint32_t magic; /* SECTILE_PACKAGE_MAGIC */
  uint32_t abi;   /* SECTILE_PACKAGE_ABI */
  uint64_t size;  /* sizeof(sectile_package_descriptor) of the compiler */
  const char *compiler_version;
  const char *model_name;
  const char *options; /* the command-line options that shaped the package */
  uint32_t num_inputs;
  uint32_t num_outputs;
  uint32_t num_symbols;
  uint32_t num_targets;
  uint32_t num_aliases;
  uint32_t reserved; /* 0 */
  const sectile_abi_tensor *inputs;
  const sectile_abi_tensor *outputs;
  const char *const *symbols; /* C identifiers, unique; the compiler renames others */
  const sectile_abi_target *targets;
  const sectile_abi_alias *aliases;
  /** Constants: inside the shared object (`constants` set), or beside the package
   * (`weights_file` set, a bare name): in a file of exactly constants_bytes bytes or,
   * where there are `pieces`, in files of a folder. Aligned to 4096 bytes either
   * way. Both are null where constants_bytes is 0. */
  const void *constants;
  uint64_t constants_bytes;
  uint64_t constants_hash; /* XXH3-64, seed 0, of the constants or, where they are in pieces, of
                              the hashes of all pieces in order */
  const char *weights_file;
  /* Not in the first packages, whose descriptors end here. */
  /** Innermost loops of all kernels, kernel by kernel, level by level, target by
   * target. Those of kernel number i in that order end before loop_ends[i] and
   * begin where the kernel before ends. Both are null where nothing was counted. */
  const sectile_abi_loop *loops;
  const uint32_t *loop_ends;
  /* Not in packages of CPU code before there were others. */
  const sectile_abi_device *devices; /* num_targets entries; null: all targets are the CPU */
  /* Not in packages before constants could lie in several files. */
  const sectile_abi_piece *pieces; /* by offset, apart from each other */
  uint64_t num_pieces;
  /** num_targets entries, each null or with an entry for each kernel: how many of its shared_bytes
   * the launch has to give (dynamic shared memory); the kernel itself declares the others. Null:
   * kernels declare all. */
  const int64_t *const *launch_shared;
  /** num_targets entries, each null or with an entry for each kernel: the order of its arguments,
   * 'b' for a buffer and 'i' for an integer of 64 bits; the record of a failed check follows where
   * the kernel has failures. Null: the package does not tell, and only an image's own function
   * does. */
  const char *const *const *device_arguments;
} sectile_package_descriptor;

#ifdef __cplusplus
}
#endif

#endif /* SECTILE_PACKAGE_ABI_H */
