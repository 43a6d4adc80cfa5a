//===- Program.h - the sectile program as a process -------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TEST_TOOLS_PROGRAM_H
#define SECTILE_TEST_TOOLS_PROGRAM_H

#include "Temporary.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace sectile::test {

inline std::string packagePath(const std::string &name) {
  return std::string(SECTILE_TEST_PACKAGES) + "/" + name + ".stpk";
}

/// How a run of the program is special.
struct ProgramOptions {
  std::vector<std::string> environment; ///< "NAME=VALUE"
  uint64_t maxFileBytes = 0;            ///< files cannot grow beyond this; 0: no limit
  std::string output;                   ///< standard output goes there; empty: it is kept
};

struct ProgramResult {
  int status = -1; ///< exit status, or -1 if a signal ended the program
  std::string out, err;
};

/// Runs the program with `arguments`.
inline ProgramResult runProgram(std::vector<std::string> arguments,
                                const ProgramOptions &options = {}) {
  TemporaryFolder folder;
  std::string out = options.output.empty() ? folder.path("out") : options.output;
  pid_t child = fork();
  if (child == 0) {
    int outFile = open(out.c_str(), O_WRONLY | O_CREAT, 0600);
    int errFile = open(folder.path("err").c_str(), O_WRONLY | O_CREAT, 0600);
    dup2(outFile, 1);
    dup2(errFile, 2);
    for (const std::string &entry : options.environment)
      putenv(strdup(entry.c_str()));
    if (options.maxFileBytes > 0) {
      rlimit limit = {options.maxFileBytes, options.maxFileBytes};
      setrlimit(RLIMIT_FSIZE, &limit);
      signal(SIGXFSZ, SIG_IGN);
    }
    std::vector<char *> argv = {const_cast<char *>(SECTILE_PROGRAM)};
    for (std::string &argument : arguments)
      argv.push_back(argument.data());
    argv.push_back(nullptr);
    execv(SECTILE_PROGRAM, argv.data());
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ProgramResult result;
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  result.out = options.output.empty() ? readWhole(out) : std::string();
  result.err = readWhole(folder.path("err"));
  return result;
}

/// Expects exit status `status` and `part` in the text on stderr.
inline void expectError(const ProgramResult &result, int status, const std::string &part) {
  EXPECT_EQ(result.status, status) << result.err << result.out;
  EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
}

inline void expectContains(const std::string &text, const std::string &part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

} // namespace sectile::test

#endif // SECTILE_TEST_TOOLS_PROGRAM_H
