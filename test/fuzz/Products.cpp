//===- Products.cpp - products of matrices in tiles ----------  -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Products.h"

#include "KernelHarness.h"

using namespace sectile::test;

static std::string str(int64_t number) { return std::to_string(number); }

std::string sectile::test::textOf(const Product &p) {
  std::string text = R"(
    tile.kernel @k(%a: !tile.view<MxKxELEM>, %b: !tile.view<KxNxELEM>, %c: !tile.view<MxNxSUM>) {
      %c0 = arith.constant 0 : index
      %step = arith.constant TK : index
      %m = arith.constant M : index
      %n = arith.constant N : index
      %k = arith.constant K : index
      %gm = arith.constant GM : index
      %gn = arith.constant GN : index
      %i, %j = tile.block_id grid [%gm, %gn]
      %zero = arith.constant dense<ZERO> : tensor<TMxTNxSUM>
      %sum = scf.for %s = %c0 to %k step %step iter_args(%acc = %zero) -> tensor<TMxTNxSUM> {
        %x = tile.load %a at affine_map<(t0, t1)[i, s] -> (i * TM + t0, s + t1)>[%i, %s]
             #where affine_set<(t0, t1)[i, s, m, k] : (m - i * TM - t0 - 1 >= 0, k - s - t1 - 1 >= 0)>[%i, %s, %m, %k]
             else FILL : ELEM #end : !tile.view<MxKxELEM> -> tensor<TMxTKxELEM>
        %y = tile.load %b at affine_map<(t0, t1)[j, s] -> (s + t0, j * TN + t1)>[%j, %s]
             #where affine_set<(t0, t1)[j, s, n, k] : (n - j * TN - t1 - 1 >= 0, k - s - t0 - 1 >= 0)>[%j, %s, %n, %k]
             else FILL : ELEM #end : !tile.view<KxNxELEM> -> tensor<TKxTNxELEM>
        %d = tile.dot %x, %y, %acc : tensor<TMxTKxELEM>, tensor<TKxTNxELEM> -> tensor<TMxTNxSUM>
        scf.yield %d : tensor<TMxTNxSUM>
      }
      tile.store %sum, %c at affine_map<(t0, t1)[i, j] -> (i * TM + t0, j * TN + t1)>[%i, %j]
           #where affine_set<(t0, t1)[i, j, m, n] : (m - i * TM - t0 - 1 >= 0, n - j * TN - t1 - 1 >= 0)>[%i, %j, %m, %n]
           #end : tensor<TMxTNxSUM>, !tile.view<MxNxSUM>
      tile.return
    })";
  for (size_t at; (at = text.find("#where")) != std::string::npos;) {
    size_t end = text.find("#end", at);
    if (p.isMasked)
      text.replace(end, 4, "").replace(at, 6, "where");
    else
      text.replace(at, end + 4 - at, "");
  }
  auto transpose = [&](const std::string &from, const std::string &to) {
    for (size_t at; (at = text.find(from)) != std::string::npos;)
      text.replace(at, from.size(), to);
  };
  if (p.isTransposedA) {
    transpose("view<MxKx", "view<KxMx");
    transpose("-> (i * TM + t0, s + t1)>", "-> (s + t1, i * TM + t0)>");
  }
  if (p.isTransposedB) {
    transpose("%b: !tile.view<KxNx", "%b: !tile.view<NxKx");
    transpose(": !tile.view<KxNx", ": !tile.view<NxKx");
    transpose("-> (s + t0, j * TN + t1)>", "-> (j * TN + t1, s + t0)>");
  }
  bool isFloat = p.sum[0] == 'f';
  return substitute(text, {{"GM", str((p.m + p.tileM - 1) / p.tileM)},
                           {"GN", str((p.n + p.tileN - 1) / p.tileN)},
                           {"TMxTNx", str(p.tileM) + "x" + str(p.tileN) + "x"},
                           {"TMxTKx", str(p.tileM) + "x" + str(p.tileK) + "x"},
                           {"TKxTNx", str(p.tileK) + "x" + str(p.tileN) + "x"},
                           {"<MxKx", "<" + str(p.m) + "x" + str(p.k) + "x"},
                           {"<KxNx", "<" + str(p.k) + "x" + str(p.n) + "x"},
                           {"<KxMx", "<" + str(p.k) + "x" + str(p.m) + "x"},
                           {"<NxKx", "<" + str(p.n) + "x" + str(p.k) + "x"},
                           {"<MxNx", "<" + str(p.m) + "x" + str(p.n) + "x"},
                           {"constant TK ", "constant " + str(p.tileK) + " "},
                           {"constant M ", "constant " + str(p.m) + " "},
                           {"constant N ", "constant " + str(p.n) + " "},
                           {"constant K ", "constant " + str(p.k) + " "},
                           {"* TM", "* " + str(p.tileM)},
                           {"* TN", "* " + str(p.tileN)},
                           {"ELEM", p.element},
                           {"SUM", p.sum},
                           {"ZERO", isFloat ? "0.0" : "0"},
                           {"FILL", isFloat ? "0.0" : "0"}});
}

ProgramView sectile::test::viewOf(std::vector<int64_t> shape, std::string element) {
  std::vector<bool> isDynamic(shape.size(), false);
  return {std::move(shape), std::move(isDynamic), std::move(element)};
}

Reference sectile::test::interpret(const Product &p, uint64_t seed) {
  std::vector<int64_t> a{p.m, p.k}, b{p.k, p.n};
  if (p.isTransposedA)
    std::swap(a[0], a[1]);
  if (p.isTransposedB)
    std::swap(b[0], b[1]);
  return interpret(textOf(p), {viewOf(a, p.element), viewOf(b, p.element)},
                   {viewOf({p.m, p.n}, p.sum)}, seed);
}
