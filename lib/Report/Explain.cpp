//===- Explain.cpp - why a package looks as it does -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Report/Explain.h"

#include "sectile/Report/Remarks.h"

#include "mlir/IR/Location.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

#include <mutex>

using namespace mlir;
using namespace sectile;

namespace {

/// A remark, freed from the IR that it speaks of.
struct Entry {
  std::string pass, name, nodes, text;
  std::string group, kernel, level;
};

/// Kernels of large models name dozens of nodes; the first ones tell which.
constexpr size_t kMostNodes = 8;

/// The nodes, or else the lines, that a location names.
std::string describeNodes(Location loc) {
  llvm::SetVector<StringRef> names;
  SetVector<unsigned> lines;
  loc->walk([&](Location part) {
    if (auto name = dyn_cast<NameLoc>(part))
      names.insert(name.getName());
    else if (auto place = dyn_cast<FileLineColLoc>(part); place && place.getLine() != 0)
      lines.insert(place.getLine());
    return WalkResult::advance();
  });
  std::string text;
  auto list = [&](const auto &items, auto print) {
    for (auto [i, item] : llvm::enumerate(items))
      if (i < kMostNodes)
        text += (i == 0 ? "" : ", ") + print(item);
    if (items.size() > kMostNodes)
      text += " and " + std::to_string(items.size() - kMostNodes) + " more";
  };
  if (!names.empty())
    list(names, [](StringRef name) { return name.str(); });
  else if (!lines.empty())
    list(lines, [](unsigned line) { return "line " + std::to_string(line); });
  return text;
}

Entry read(const remark::detail::Remark &remark) {
  Entry entry;
  entry.pass = remark.getCategoryName().str();
  entry.name = remark.getRemarkName().str();
  entry.nodes = describeNodes(remark.getLocation());
  std::string figures;
  for (const auto &arg : remark.getArgs()) {
    if (arg.key == kGroupRemarkKey)
      entry.group = arg.val;
    else if (arg.key == kKernelRemarkKey)
      entry.kernel = arg.val;
    else if (arg.key == kLevelRemarkKey)
      entry.level = arg.val;
    else if (arg.key == "Remark" || arg.key == "Reason")
      entry.text += arg.val;
    else
      figures += (figures.empty() ? "" : ", ") + arg.key + " " + arg.val;
  }
  if (!figures.empty())
    entry.text += " (" + figures + ")";
  return entry;
}

/// What there is to say of one kernel.
struct Kernel {
  SmallVector<std::string> groups;
  SmallVector<const Entry *> entries;
};

} // namespace

struct Explanation::Log {
  std::mutex mutex;
  std::vector<Entry> entries;
  bool isListening = true;
};

namespace {
/// Owned by the context; shares the log, since either may go first.
class Listener : public remark::detail::MLIRRemarkStreamerBase {
public:
  explicit Listener(std::shared_ptr<Explanation::Log> log) : log(std::move(log)) {}

  void streamOptimizationRemark(const remark::detail::Remark &remark) override {
    Entry entry = read(remark);
    std::lock_guard guard(log->mutex);
    if (log->isListening)
      log->entries.push_back(std::move(entry));
  }

private:
  std::shared_ptr<Explanation::Log> log;
};
} // namespace

Explanation::Explanation(MLIRContext &context) : log(std::make_shared<Log>()) {
  remark::RemarkCategories ours;
  ours.passed = ours.missed = ours.analysis = ours.failed = "graph-.*|tile-.*";
  LogicalResult enabled =
      remark::enableOptimizationRemarks(context, std::make_unique<Listener>(log),
                                        std::make_unique<remark::RemarkEmittingPolicyAll>(), ours);
  assert(succeeded(enabled) && "expects a context without a listener");
  (void)enabled;
}

Explanation::~Explanation() = default;

void Explanation::setListening(bool isListening) {
  std::lock_guard guard(log->mutex);
  log->isListening = isListening;
}

void Explanation::print(llvm::raw_ostream &out) const {
  std::lock_guard guard(log->mutex);
  llvm::MapVector<StringRef, Kernel> kernels;
  llvm::StringMap<StringRef> kernelOf;
  for (const Entry &entry : log->entries)
    if (!entry.group.empty() && !entry.kernel.empty()) {
      kernels[entry.kernel].groups.push_back(entry.group);
      kernelOf[entry.group] = entry.kernel;
    }
  llvm::MapVector<StringRef, SmallVector<const Entry *>> general;
  for (const Entry &entry : log->entries) {
    if (!entry.group.empty() && !entry.kernel.empty())
      continue;
    StringRef kernel = entry.group.empty() ? StringRef(entry.kernel) : kernelOf.lookup(entry.group);
    auto it = kernels.find(kernel);
    if (it != kernels.end())
      it->second.entries.push_back(&entry);
    else if (entry.group.empty()) // a group without a kernel was dead
      general[entry.pass].push_back(&entry);
  }

  for (auto &[pass, entries] : general) {
    out << pass << '\n';
    for (const Entry *entry : entries)
      out << "  " << entry->nodes << (entry->nodes.empty() ? "" : ": ") << entry->text << '\n';
    out << '\n';
  }
  size_t launches = 0;
  for (auto &[name, kernel] : kernels)
    launches += kernel.groups.size();
  out << kernels.size() << (kernels.size() == 1 ? " kernel" : " kernels") << ", " << launches
      << (launches == 1 ? " launch\n" : " launches\n");
  for (auto &[name, kernel] : kernels) {
    out << '\n' << name;
    if (kernel.groups.size() > 1)
      out << ", launched " << kernel.groups.size() << " times";
    out << '\n';
    for (const Entry *entry : kernel.entries) {
      std::string what = entry->level.empty() ? entry->name : entry->level;
      bool isOfNodes = !entry->group.empty() && !entry->nodes.empty();
      out << "  " << llvm::left_justify(what, 10) << ' ' << (isOfNodes ? entry->nodes + ": " : "")
          << entry->text << '\n';
    }
  }
}
