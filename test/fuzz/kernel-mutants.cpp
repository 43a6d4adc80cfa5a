//===- kernel-mutants.cpp - kernels with a mistake, which must be found -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// kernel-mutants [--only=KIND,...] [--every=N] [--least=PERCENT]
//
// Takes kernels as the compiler makes them and changes one thing in each: a barrier
// or a wait is left out or comes too late, a swizzle, a mask or a constant of an
// address is another one. A mutant is caught if the emulator finds something, or
// if a result leaves the interpreter's bounds, with lanes in order or in either of
// two random ones. Prints how many of each kind are, and those that are not.
//
//===----------------------------------------------------------------------===//

#include "Products.h"
#include "Threads.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/Support/CommandLine.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <sys/wait.h>
#include <unistd.h>

using namespace mlir;
using namespace sectile::test;

static llvm::cl::opt<uint64_t> every("every", llvm::cl::desc("takes each N-th mutant"),
                                     llvm::cl::init(1));
static llvm::cl::list<std::string> only("only", llvm::cl::CommaSeparated,
                                        llvm::cl::desc("kinds, by how their names begin"));
static llvm::cl::opt<double> least("least", llvm::cl::desc("percent that must be caught"),
                                   llvm::cl::init(0));

namespace {
struct Mutation {
  std::string kind, where;
  std::function<void(Operation *)> apply;
};
} // namespace

static Value constantLike(OpBuilder &builder, Value like, int64_t value) {
  return LLVM::ConstantOp::create(builder, like.getLoc(), like.getType(),
                                  builder.getIntegerAttr(like.getType(), value));
}

/// Whether `op` is the last one of several of its kind.
template <typename Kind>
static bool isLastOf(Operation *op) {
  SmallVector<Operation *> all;
  op->getParentOfType<LLVM::LLVMFuncOp>().walk([&](Kind other) { all.push_back(other); });
  return all.size() > 1 && all.back() == op;
}

/// Whether an op puts the constant bits of a descriptor to an address.
static bool isDescriptor(Operation *op) {
  APInt value;
  return isa<LLVM::OrOp>(op) && matchPattern(op->getOperand(1), m_ConstantInt(&value)) &&
         value.getBitWidth() == 64 && value.lshr(32) != 0;
}

static void alterConstant(Operation *op, llvm::function_ref<uint64_t(uint64_t)> change) {
  APInt value;
  (void)matchPattern(op->getOperand(1), m_ConstantInt(&value));
  OpBuilder builder(op);
  op->setOperand(1, constantLike(builder, op->getOperand(1),
                                 static_cast<int64_t>(change(value.getZExtValue()))));
}

/// What can be changed about an op.
static SmallVector<Mutation> mutationsOf(Operation *op) {
  SmallVector<Mutation> list;
  auto add = [&](StringRef kind, std::function<void(Operation *)> apply) {
    std::string where;
    llvm::raw_string_ostream(where) << *op;
    list.push_back({kind.str(), where.substr(0, 150), std::move(apply)});
  };
  auto erase = [](Operation *op) { op->erase(); };
  if (isa<NVVM::Barrier0Op>(op)) {
    add("barrier removed", erase);
  } else if (isa<NVVM::CpAsyncCommitGroupOp>(op)) {
    add("commit removed", erase);
  } else if (isa<NVVM::CpAsyncWaitGroupOp>(op)) {
    // The wait behind a loop is for another run of it: nothing here reads or writes what it brings.
    if (isLastOf<NVVM::CpAsyncWaitGroupOp>(op))
      return list;
    add("wait removed", erase);
    add("wait for one group fewer", [](Operation *op) {
      auto wait = cast<NVVM::CpAsyncWaitGroupOp>(op);
      wait.setN(wait.getN() + 1);
    });
    add("wait behind the next barrier", [](Operation *op) {
      for (Operation *next = op->getNextNode(); next; next = next->getNextNode())
        if (isa<NVVM::Barrier0Op>(next))
          return op->moveAfter(next);
      op->moveBefore(op->getBlock()->getTerminator());
    });
  } else if (auto copy = dyn_cast<NVVM::CpAsyncOp>(op)) {
    add("copy removed", erase);
    if (copy.getCpSize()) {
      add("copy not masked",
          [](Operation *op) { cast<NVVM::CpAsyncOp>(op).getCpSizeMutable().clear(); });
      add("mask one element short", [](Operation *op) {
        auto copy = cast<NVVM::CpAsyncOp>(op);
        OpBuilder builder(op);
        Value size = copy.getCpSize(), two = constantLike(builder, size, 2);
        Value zero = constantLike(builder, size, 0);
        copy.getCpSizeMutable().assign(LLVM::SMaxOp::create(
            builder, op->getLoc(), LLVM::SubOp::create(builder, op->getLoc(), size, two), zero));
      });
    }
  } else if (isa<NVVM::WgmmaFenceAlignedOp>(op)) {
    add("fence removed", erase);
  } else if (isa<NVVM::FenceProxyOp>(op)) {
    // As of waits, that behind a loop is for another run of it. One behind the barrier is as good:
    // it is the reader's then.
    if (!isLastOf<NVVM::FenceProxyOp>(op))
      add("fence of proxies removed", erase);
  } else if (isa<NVVM::WgmmaGroupSyncAlignedOp>(op)) {
    add("commit removed", erase);
  } else if (isa<NVVM::WgmmaWaitGroupSyncOp>(op)) {
    add("wait removed", erase);
    add("wait for one group fewer", [](Operation *op) {
      auto wait = cast<NVVM::WgmmaWaitGroupSyncOp>(op);
      wait.setGroup(wait.getGroup() + 1);
    });
  } else if (isa<NVVM::WgmmaMmaAsyncOp>(op)) {
    add("matrix transposed", [](Operation *op) {
      auto product = cast<NVVM::WgmmaMmaAsyncOp>(op);
      product.setLayoutB(product.getLayoutB() == NVVM::MMALayout::col ? NVVM::MMALayout::row
                                                                      : NVVM::MMALayout::col);
    });
    add("matrix of another place", [](Operation *op) {
      auto product = cast<NVVM::WgmmaMmaAsyncOp>(op);
      OpBuilder builder(op);
      Value descriptor = product.getDescriptorA();
      product.getDescriptorAMutable().assign(LLVM::AddOp::create(
          builder, op->getLoc(), descriptor, constantLike(builder, descriptor, 2)));
    });
  } else if (isDescriptor(op)) {
    add("swizzle of a descriptor altered", [](Operation *op) {
      alterConstant(op, [](uint64_t bits) { return bits ^ uint64_t(1) << 62; });
    });
    add("matrix with rows further apart", [](Operation *op) {
      alterConstant(op, [](uint64_t bits) { return bits + (uint64_t(8) << 32); });
    });
  } else if (isa<LLVM::XOrOp>(op)) {
    add("swizzle left out", [](Operation *op) {
      op->replaceAllUsesWith(ValueRange{op->getOperand(0)});
      op->erase();
    });
  } else if (auto load = dyn_cast<NVVM::LdMatrixOp>(op)) {
    add("matrix transposed", [](Operation *op) {
      auto load = cast<NVVM::LdMatrixOp>(op);
      load.setLayout(load.getLayout() == NVVM::MMALayout::col ? NVVM::MMALayout::row
                                                              : NVVM::MMALayout::col);
    });
  } else if (auto compare = dyn_cast<LLVM::ICmpOp>(op)) {
    if (compare.getPredicate() == LLVM::ICmpPredicate::sge)
      add("mask one place less",
          [](Operation *op) { cast<LLVM::ICmpOp>(op).setPredicate(LLVM::ICmpPredicate::sgt); });
  } else if (isa<LLVM::AndOp, LLVM::LShrOp, LLVM::URemOp, LLVM::UDivOp, LLVM::MulOp>(op)) {
    APInt value;
    if (matchPattern(op->getOperand(1), m_ConstantInt(&value)) && value != 0)
      add("constant of an address", [](Operation *op) {
        APInt value;
        (void)matchPattern(op->getOperand(1), m_ConstantInt(&value));
        OpBuilder builder(op);
        op->setOperand(1, constantLike(builder, op->getOperand(1), value.getSExtValue() + 1));
      });
  } else if (isa<LLVM::StoreOp>(op)) {
    add("store removed", erase);
  }
  return list;
}

/// Whether `isGood`, in a process of its own: a mutant may divide by zero or never end, which is
/// noticed as well.
static bool survives(llvm::function_ref<bool()> isGood) {
  constexpr unsigned kSeconds = 20;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    alarm(kSeconds);
    _exit(isGood() ? 0 : 1);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) {
    perror("kernel-mutants");
    exit(1);
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv) {
  llvm::cl::ParseCommandLineOptions(argc, argv, "kernels with a mistake, which must be found\n");
  const Product products[] = {
      {40, 72, 88, 32, 64, 32, "f16", "f32", 4, 3},
      {33, 66, 100, 32, 32, 32, "f16", "f32", 2, 2},
      {24, 36, 40, 32, 32, 16, "f32", "f32", 2, 3},
      {40, 40, 48, 32, 32, 16, "bf16", "f32", 2, 1},
      {24, 20, 100, 32, 16, 32, "i8", "i32", 1, 3},
      // By warp groups, which only one of the devices has.
      {60, 72, 160, 64, 72, 32, "f16", "f32", 4, 3},
      {64, 64, 128, 64, 64, 64, "bf16", "f32", 8, 2, false, true, true},
  };
  std::map<std::string, std::pair<int, int>> kinds;
  uint64_t number = 0, tried = 0, caught = 0;
  for (const Product &product : products) {
    Reference reference = interpret(product, 1);
    auto run = [&](uint32_t order, std::function<void(ModuleOp)> change) {
      const char *target = product.tileM == 64 ? "sm_90a" : "sm_80";
      return runThreads(reference, target, product.warps, product.blocks(), order,
                        {.stages = product.stages, .change = std::move(change)});
    };
    std::vector<Mutation> mutations;
    std::vector<size_t> places;
    Finding whole = run(0, [&](ModuleOp module) {
      size_t place = 0;
      module.walk([&](Operation *op) {
        for (Mutation &mutation : mutationsOf(op)) {
          if (!only.empty() && llvm::none_of(only, [&](const std::string &kind) {
                return StringRef(mutation.kind).starts_with(kind);
              }))
            continue;
          mutations.push_back(std::move(mutation));
          places.push_back(place);
        }
        ++place;
      });
    });
    if (whole.kind != Finding::Good) {
      fprintf(stderr, "the kernel itself: %s\n", whole.text.c_str());
      return 1;
    }
    for (size_t i = 0; i < mutations.size(); ++i) {
      if (number++ % every)
        continue;
      auto change = [&](ModuleOp module) {
        size_t place = 0;
        Operation *changed = nullptr;
        module.walk([&](Operation *op) {
          if (place++ == places[i])
            changed = op;
        });
        mutations[i].apply(changed);
      };
      bool isCaught = !survives([&] {
        return llvm::all_of(ArrayRef<uint32_t>{0, 7, 23}, [&](uint32_t order) {
          return run(order, change).kind == Finding::Good;
        });
      });
      ++tried;
      caught += isCaught;
      auto &[of, found] = kinds[mutations[i].kind];
      ++of;
      found += isCaught;
      if (!isCaught)
        printf("survives: %s x %s, %s: %s\n", product.element.c_str(),
               std::to_string(product.stages).c_str(), mutations[i].kind.c_str(),
               mutations[i].where.c_str());
    }
  }
  for (const auto &[kind, counts] : kinds)
    printf("%s: %d of %d caught\n", kind.c_str(), counts.second, counts.first);
  double share = tried ? 100.0 * static_cast<double>(caught) / static_cast<double>(tried) : 100;
  printf("%llu of %llu mutants caught, %.1f %%\n", static_cast<unsigned long long>(caught),
         static_cast<unsigned long long>(tried), share);
  return share >= least ? 0 : 1;
}
