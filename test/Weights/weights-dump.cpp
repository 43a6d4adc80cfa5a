//===- weights-dump.cpp - what the readers of weights find ------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For run_weights.py. Commands are lines of standard input:
//
//   list FILE            its metadata and tensors, a line each, then an empty line
//   numbers FILE NAME    a line with their count, then the doubles as bytes
//   zip FILE             its members: name, bytes and a sum of them; an empty line
//
// Names are hexadecimal. An error is a line that begins with "error: ".
//
//===----------------------------------------------------------------------===//

#include "sectile/Weights/WeightFile.h"
#include "sectile/Weights/Zip.h"

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

using namespace sectile::weights;

static std::string toHex(const std::string &text) {
  std::string out;
  char digits[3];
  for (char c : text) {
    snprintf(digits, sizeof digits, "%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    out += digits;
  }
  return out;
}

static std::vector<uint8_t> readAll(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

static void listFile(const WeightFile &file) {
  printf("%s %u\n", file.container == Container::Gguf ? "gguf" : "safetensors", file.version);
  for (const Metadata &entry : file.metadata)
    printf("# %s %s %s\n", toHex(entry.key).c_str(), entry.type.c_str(),
           toHex(entry.value).c_str());
  for (const WeightTensor &tensor : file.tensors) {
    printf("%s %s %llu %llu", toHex(tensor.name).c_str(), std::string(tensor.type->name).c_str(),
           static_cast<unsigned long long>(tensor.offset),
           static_cast<unsigned long long>(tensor.bytes));
    for (uint64_t extent : tensor.shape)
      printf(" %llu", static_cast<unsigned long long>(extent));
    printf("\n");
  }
  printf("\n");
}

static void writeNumbers(const WeightTensor *tensor, FileBytes bytes) {
  if (!tensor) {
    printf("error: no such tensor\n");
    return;
  }
  std::vector<double> values(tensor->countElements());
  if (auto done = decodeNumbers(*tensor, bytes, 0, values); !done) {
    printf("error: %s\n", done.getMessage().c_str());
    return;
  }
  printf("%zu\n", values.size());
  fwrite(values.data(), sizeof(double), values.size(), stdout);
}

static void listZip(FileBytes bytes) {
  auto members = readZip(bytes);
  if (!members) {
    printf("error: %s\n", members.getMessage().c_str());
    return;
  }
  for (const ZipMember &member : *members) {
    auto data = extract(member, bytes, uint64_t(1) << 30);
    if (!data) {
      printf("error: %s\n", data.getMessage().c_str());
      return;
    }
    unsigned long long sum = 0;
    for (size_t i = 0; i < data->size(); ++i)
      sum += (i + 1) * (*data)[i];
    printf("%s %zu %llu\n", toHex(member.name).c_str(), data->size(), sum);
  }
  printf("\n");
}

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command, path, name;
    words >> command >> path >> name;
    std::vector<uint8_t> bytes = readAll(path);
    if (command == "zip") {
      listZip(bytes);
    } else if (auto file = readWeightFile(bytes); !file) {
      printf("error: %s\n", file.getMessage().c_str());
    } else if (command == "list") {
      listFile(*file);
    } else {
      const WeightTensor *found = nullptr;
      for (const WeightTensor &tensor : file->tensors)
        if (toHex(tensor.name) == name)
          found = &tensor;
      writeNumbers(found, bytes);
    }
    fflush(stdout);
  }
  return 0;
}
