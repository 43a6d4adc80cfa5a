//===- SpecialRegisters.cpp - what a thread knows of itself -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lower.h"

#include "llvm/ADT/StringSwitch.h"

std::optional<int> sectile::emulator::specialRegister(llvm::StringRef name) {
  if (name.consume_front("rocdl.")) {
    int code = llvm::StringSwitch<int>(name)
                   .Case("workitem.id.x", 0)
                   .Case("workitem.id.y", 1)
                   .Case("workitem.id.z", 2)
                   .Case("workgroup.id.x", 6)
                   .Case("workgroup.id.y", 7)
                   .Case("workgroup.id.z", 8)
                   .Case("wavefrontsize", 13)
                   .Default(-1);
    return code < 0 ? std::nullopt : std::optional(code);
  }
  if (!name.consume_front("nvvm.read.ptx.sreg."))
    return std::nullopt;
  int code = llvm::StringSwitch<int>(name)
                 .Case("tid.x", 0)
                 .Case("tid.y", 1)
                 .Case("tid.z", 2)
                 .Case("ntid.x", 3)
                 .Case("ntid.y", 4)
                 .Case("ntid.z", 5)
                 .Case("ctaid.x", 6)
                 .Case("ctaid.y", 7)
                 .Case("ctaid.z", 8)
                 .Case("nctaid.x", 9)
                 .Case("nctaid.y", 10)
                 .Case("nctaid.z", 11)
                 .Case("laneid", 12)
                 .Case("warpsize", 13)
                 .Case("warpid", 14)
                 .Case("nwarpid", 15)
                 .Case("lanemask.eq", 16)
                 .Case("lanemask.le", 17)
                 .Case("lanemask.lt", 18)
                 .Case("lanemask.ge", 19)
                 .Case("lanemask.gt", 20)
                 .Case("dynamic.smem.size", 21)
                 .Default(-1);
  return code < 0 ? std::nullopt : std::optional(code);
}
