//===- TileKernel.cpp - tile.kernel and its grid -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Tile/IR/Tile.h"

#include "mlir/IR/Builders.h"
#include "mlir/Interfaces/FunctionImplementation.h"

using namespace mlir;
using namespace sectile::tile;

//===----------------------------------------------------------------------===//
// KernelOp
//===----------------------------------------------------------------------===//

void KernelOp::build(OpBuilder &builder, OperationState &state, StringRef name, FunctionType type,
                     ScheduleAttr schedule) {
  state.addAttribute(getSymNameAttrName(state.name), builder.getStringAttr(name));
  state.addAttribute(getFunctionTypeAttrName(state.name), TypeAttr::get(type));
  if (schedule)
    state.addAttribute(getScheduleAttrName(state.name), schedule);
  Block &entry = state.addRegion()->emplaceBlock();
  for (Type input : type.getInputs())
    entry.addArgument(input, state.location);
}

ParseResult KernelOp::parse(OpAsmParser &parser, OperationState &state) {
  StringAttr name;
  SmallVector<OpAsmParser::Argument> arguments;
  SmallVector<Type> resultTypes;
  SmallVector<DictionaryAttr> resultAttrs;
  bool isVariadic = false;
  Builder &builder = parser.getBuilder();
  if (parser.parseSymbolName(name, getSymNameAttrName(state.name), state.attributes) ||
      function_interface_impl::parseFunctionSignatureWithArguments(
          parser, /*allowVariadic=*/false, arguments, isVariadic, resultTypes, resultAttrs))
    return failure();
  SmallVector<Type> inputTypes;
  for (const OpAsmParser::Argument &argument : arguments)
    inputTypes.push_back(argument.type);
  state.addAttribute(getFunctionTypeAttrName(state.name),
                     TypeAttr::get(builder.getFunctionType(inputTypes, resultTypes)));
  if (succeeded(parser.parseOptionalKeyword("schedule"))) {
    ScheduleAttr schedule;
    if (parser.parseAttribute(schedule, getScheduleAttrName(state.name), state.attributes))
      return failure();
  }
  if (parser.parseOptionalAttrDictWithKeyword(state.attributes))
    return failure();
  call_interface_impl::addArgAndResultAttrs(builder, state, arguments, resultAttrs,
                                            getArgAttrsAttrName(state.name),
                                            getResAttrsAttrName(state.name));
  return parser.parseRegion(*state.addRegion(), arguments);
}

void KernelOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printer.printSymbolName(getSymName());
  function_interface_impl::printFunctionSignature(printer, *this, getArgumentTypes(),
                                                  /*isVariadic=*/false, getResultTypes());
  if (getScheduleAttr())
    printer << " schedule " << Attribute(getScheduleAttr());
  printer.printOptionalAttrDictWithKeyword(
      (*this)->getAttrs(), {getSymNameAttrName(), getFunctionTypeAttrName(), getScheduleAttrName(),
                            getArgAttrsAttrName(), getResAttrsAttrName()});
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

LogicalResult KernelOp::verifyRegions() {
  for (auto [i, type] : llvm::enumerate(getArgumentTypes()))
    if (!isa<ViewType, IndexType>(type))
      return emitOpError("expects argument ") << i << " to be a view or an index, but got " << type;
  if (!getResultTypes().empty())
    return emitOpError("expects no results, but got ") << getResultTypes().size();
  auto ids = getBody().getOps<BlockIdOp>();
  if (llvm::range_size(ids) > 1)
    return emitOpError("expects at most one tile.block_id, but got ") << llvm::range_size(ids);
  return success();
}

BlockIdOp KernelOp::getBlockId() {
  for (BlockIdOp op : getBody().getOps<BlockIdOp>())
    return op;
  return {};
}

//===----------------------------------------------------------------------===//
// BlockIdOp
//===----------------------------------------------------------------------===//

ParseResult BlockIdOp::parse(OpAsmParser &parser, OperationState &state) {
  SmallVector<OpAsmParser::UnresolvedOperand> grid;
  Type index = parser.getBuilder().getIndexType();
  if (parser.parseKeyword("grid") ||
      parser.parseOperandList(grid, OpAsmParser::Delimiter::Square) ||
      parser.parseOptionalAttrDict(state.attributes) ||
      parser.resolveOperands(grid, index, state.operands))
    return failure();
  state.addTypes(SmallVector<Type>(grid.size(), index));
  return success();
}

void BlockIdOp::print(OpAsmPrinter &printer) {
  printer << " grid [" << getGrid() << ']';
  printer.printOptionalAttrDict((*this)->getAttrs());
}

LogicalResult BlockIdOp::verify() {
  if (getIds().size() != getGrid().size())
    return emitOpError("expects ")
           << getGrid().size() << " results, one per grid dimension, but got " << getIds().size();
  return success();
}
