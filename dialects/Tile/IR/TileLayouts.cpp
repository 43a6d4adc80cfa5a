//===- TileLayouts.cpp - layouts of tiles in registers ----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Tile/IR/Tile.h"

#include "sectile/Layout/DistributedLayout.h"

#include "mlir/IR/DialectImplementation.h"

using namespace mlir;
using namespace sectile::tile;
using sectile::layout::DistributedLayout;

LayoutAttr LayoutAttr::get(MLIRContext *context, const DistributedLayout &layout) {
  return get(context, layout.str());
}

DistributedLayout LayoutAttr::getLayout() const {
  // The verifier has parsed it before.
  return *DistributedLayout::parse(getText());
}

LayoutAttr LayoutAttr::of(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? dyn_cast_if_present<LayoutAttr>(tensor.getEncoding()) : LayoutAttr();
}

LogicalResult LayoutAttr::verify(function_ref<InFlightDiagnostic()> emitError, StringRef text) {
  auto layout = DistributedLayout::parse(text);
  if (!layout)
    return emitError() << "expects a layout: " << layout.reason().text;
  if (layout->str() != text)
    return emitError() << "expects the canonical text '" << layout->str() << "', but got '" << text
                       << "'";
  return success();
}

LogicalResult LayoutAttr::verifyEncoding(ArrayRef<int64_t> shape, Type,
                                         function_ref<InFlightDiagnostic()> emitError) const {
  DistributedLayout layout = getLayout();
  if (llvm::equal(layout.shape(), shape))
    return success();
  InFlightDiagnostic diagnostic = emitError() << "expects a tile of shape [";
  llvm::interleaveComma(layout.shape(), diagnostic);
  diagnostic << "], its layout's, but got [";
  llvm::interleaveComma(shape, diagnostic);
  return diagnostic << "]";
}

/// The layout's own parser takes the text; MLIR's lexer gives it token by token.
Attribute LayoutAttr::parse(AsmParser &parser, Type) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  SMLoc loc = parser.getCurrentLocation();
  auto parseDigit = [&]() -> ParseResult {
    int64_t extent, stride;
    StringRef dim;
    if (text.back() != '[')
      stream << ", ";
    if (parser.parseInteger(extent) || parser.parseColon() || parser.parseKeyword(&dim))
      return failure();
    stream << extent << ':' << dim;
    if (failed(parser.parseOptionalStar()))
      return success();
    if (parser.parseInteger(stride))
      return failure();
    stream << '*' << stride;
    return success();
  };
  SmallVector<int64_t> shape;
  if (parser.parseLess() || parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
        return parser.parseInteger(shape.emplace_back());
      }))
    return {};
  stream << '[';
  llvm::interleaveComma(shape, stream);
  stream << ']';
  while (succeeded(parser.parseOptionalComma())) {
    StringRef axis;
    if (parser.parseKeyword(&axis) || parser.parseEqual())
      return {};
    stream << ", " << axis << " = [";
    if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseDigit))
      return {};
    stream << ']';
  }
  if (parser.parseGreater())
    return {};
  auto layout = DistributedLayout::parse(text);
  if (!layout) {
    parser.emitError(loc, "expects a layout: ") << layout.reason().text;
    return {};
  }
  return get(parser.getContext(), *layout);
}

void LayoutAttr::print(AsmPrinter &printer) const { printer << '<' << getText() << '>'; }

//===----------------------------------------------------------------------===//
// tile.convert_layout
//===----------------------------------------------------------------------===//

LogicalResult ConvertLayoutOp::verify() {
  auto source = cast<RankedTensorType>(getSource().getType());
  auto result = cast<RankedTensorType>(getType());
  if (source.getShape() != result.getShape() || source.getElementType() != result.getElementType())
    return emitOpError("expects a tile of the same shape and elements, but got ")
           << source << " and " << result;
  if (!LayoutAttr::of(source) || !LayoutAttr::of(result))
    return emitOpError("expects both tiles to have layouts, but got ")
           << source << " and " << result;
  return success();
}

OpFoldResult ConvertLayoutOp::fold(FoldAdaptor) {
  if (getSource().getType() == getType())
    return getSource();
  // Only the last of several conversions counts.
  if (auto inner = getSource().getDefiningOp<ConvertLayoutOp>()) {
    getSourceMutable().assign(inner.getSource());
    return getResult();
  }
  return {};
}
