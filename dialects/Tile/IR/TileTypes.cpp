//===- TileTypes.cpp - types and attributes of the tile dialect -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Tile/IR/Tile.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/xxhash.h"

#include <numeric>

using namespace mlir;
using namespace sectile::tile;

#define GET_ATTRDEF_CLASSES
#include "dialects/Tile/IR/TileAttrs.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/Tile/IR/TileTypes.cpp.inc"

void TileDialect::registerTypesAndAttributes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/Tile/IR/TileTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Tile/IR/TileAttrs.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// #tile.memory
//===----------------------------------------------------------------------===//

/// One physical coordinate: the view dimension it derives from and how.
struct PhysicalDim {
  enum class Kind { Whole, FloorDiv, Mod } kind;
  unsigned dim;
  int64_t factor = 1;
};

static std::optional<PhysicalDim> matchPhysicalDim(AffineExpr expr) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return PhysicalDim{PhysicalDim::Kind::Whole, dim.getPosition()};
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return std::nullopt;
  auto dim = dyn_cast<AffineDimExpr>(binary.getLHS());
  auto factor = dyn_cast<AffineConstantExpr>(binary.getRHS());
  if (!dim || !factor || factor.getValue() <= 0)
    return std::nullopt;
  if (expr.getKind() == AffineExprKind::FloorDiv)
    return PhysicalDim{PhysicalDim::Kind::FloorDiv, dim.getPosition(), factor.getValue()};
  if (expr.getKind() == AffineExprKind::Mod)
    return PhysicalDim{PhysicalDim::Kind::Mod, dim.getPosition(), factor.getValue()};
  return std::nullopt;
}

SmallVector<int64_t> sectile::tile::getPhysicalShape(ArrayRef<int64_t> shape, AffineMap physical) {
  SmallVector<int64_t> result;
  for (AffineExpr expr : physical.getResults()) {
    PhysicalDim dim = *matchPhysicalDim(expr);
    int64_t extent = shape[dim.dim];
    if (dim.kind == PhysicalDim::Kind::Mod)
      result.push_back(dim.factor);
    else if (ShapedType::isDynamic(extent) || dim.kind == PhysicalDim::Kind::Whole)
      result.push_back(extent);
    else
      result.push_back(extent / dim.factor + (extent % dim.factor != 0));
  }
  return result;
}

int64_t sectile::tile::countPackedWords(int64_t codes, int64_t bits) {
  return llvm::divideCeil(llvm::divideCeil(codes, kPackedStreams) * bits, 8);
}

int64_t sectile::tile::getPackedPeriod(int64_t bits) {
  return kPackedStreams * (8 / std::gcd(int64_t(8), bits));
}

SmallVector<int64_t> sectile::tile::getMemoryShape(ArrayRef<int64_t> shape, MemoryAttr memory) {
  SmallVector<int64_t> result = getPhysicalShape(shape, memory.getMap());
  if (int64_t bits = memory.getBits()) {
    int64_t &extent = result[memory.getAlong()];
    if (!ShapedType::isDynamic(extent))
      extent = countPackedWords(extent, bits);
  }
  return result;
}

static std::string getOrderText(ArrayRef<int64_t> order) {
  std::string text = "[";
  for (size_t i = 0; i + 1 < order.size(); i += 2)
    text += (i ? ", " : "") + std::to_string(order[i]) + ":" + std::to_string(order[i + 1]);
  return text + "]";
}

/// Whether digits take the coordinates of `expr`, d mod c, to as many places.
static bool isPermutation(ArrayRef<int64_t> order, AffineExpr expr) {
  std::optional<PhysicalDim> dim = matchPhysicalDim(expr);
  if (!dim || dim->kind != PhysicalDim::Kind::Mod)
    return false;
  constexpr int64_t kMostCoordinates = 1 << 16;
  int64_t count = 1;
  for (size_t i = 0; i < order.size(); i += 2) {
    if (order[i] < 1 || order[i] > kMostCoordinates || order[i + 1] < 1)
      return false;
    count *= order[i];
    if (count > kMostCoordinates)
      return false;
  }
  if (count != dim->factor)
    return false;
  llvm::BitVector isTaken(static_cast<unsigned>(count));
  for (int64_t coordinate = 0; coordinate < count; ++coordinate) {
    int64_t place = getPackedPlace(coordinate, order);
    if (place >= count || isTaken.test(static_cast<unsigned>(place)))
      return false;
    isTaken.set(static_cast<unsigned>(place));
  }
  return true;
}

int64_t sectile::tile::getPackedPlace(int64_t coordinate, ArrayRef<int64_t> order) {
  if (order.empty())
    return coordinate;
  int64_t place = 0;
  for (size_t i = 0; i < order.size(); i += 2) {
    place += coordinate % order[i] * order[i + 1];
    coordinate /= order[i];
  }
  return place;
}

LogicalResult MemoryAttr::verify(function_ref<InFlightDiagnostic()> emitError, AffineMap map,
                                 ArrayRef<int64_t> strides, int64_t bits, int64_t along,
                                 ArrayRef<int64_t> order) {
  if (map.getNumSymbols() != 0)
    return emitError() << "expects a memory map without symbols, but got " << map.getNumSymbols();
  if (!strides.empty() && strides.size() != map.getNumResults())
    return emitError() << "expects " << map.getNumResults()
                       << " strides, one per physical dimension, but got " << strides.size();
  // Per dimension, either one bare use or a floordiv / mod pair of one factor: otherwise two
  // coordinates would share a place.
  SmallVector<SmallVector<PhysicalDim>> uses(map.getNumDims());
  for (AffineExpr expr : map.getResults()) {
    std::optional<PhysicalDim> dim = matchPhysicalDim(expr);
    if (!dim)
      return emitError() << "expects physical coordinates of the form d, d floordiv c or d mod c, "
                            "but got "
                         << AffineMapAttr::get(map);
    uses[dim->dim].push_back(*dim);
  }
  for (auto [i, use] : llvm::enumerate(uses)) {
    bool whole = use.size() == 1 && use[0].kind == PhysicalDim::Kind::Whole;
    bool split = use.size() == 2 && use[0].factor == use[1].factor &&
                 use[0].kind != PhysicalDim::Kind::Whole &&
                 use[1].kind != PhysicalDim::Kind::Whole && use[0].kind != use[1].kind;
    if (!whole && !split)
      return emitError() << "expects dimension " << i
                         << " once as itself or once each as floordiv and mod of one factor, but "
                            "got "
                         << AffineMapAttr::get(map);
  }
  if (bits == 0)
    return success();
  if (bits < 0 || bits > kMostPackedBits)
    return emitError() << "expects codes of 1 to " << kMostPackedBits << " bits, but got " << bits;
  if (along < 0 || along >= map.getNumResults())
    return emitError() << "expects codes along one of " << map.getNumResults()
                       << " physical dimensions, but got " << along;
  if (!order.empty() && !isPermutation(order, map.getResult(along)))
    return emitError()
           << "expects an order of the coordinates of d mod c that codes lie along, each "
              "with a place of its own, but got "
           << getOrderText(order) << " for " << AffineMapAttr::get(map);
  assert(strides.empty() && "the text has strides or bits");
  return success();
}

Attribute MemoryAttr::parse(AsmParser &parser, Type) {
  AffineMap map;
  SmallVector<int64_t> strides, order;
  int64_t bits = 0, along = 0;
  if (parser.parseLess() || parser.parseAffineMap(map))
    return {};
  if (succeeded(parser.parseOptionalComma())) {
    if (succeeded(parser.parseOptionalKeyword("bits"))) {
      llvm::SMLoc loc = parser.getCurrentLocation();
      if (parser.parseEqual() || parser.parseInteger(bits) || parser.parseKeyword("along") ||
          parser.parseInteger(along))
        return {};
      auto parseDigit = [&]() -> ParseResult {
        return failure(parser.parseInteger(order.emplace_back()) || parser.parseColon() ||
                       parser.parseInteger(order.emplace_back()));
      };
      if (succeeded(parser.parseOptionalComma()) &&
          (parser.parseKeyword("order") || parser.parseEqual() ||
           parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseDigit)))
        return {};
      if (parser.parseGreater())
        return {};
      if (bits == 0) {
        parser.emitError(loc, "expects codes of 1 to ") << kMostPackedBits << " bits, but got 0";
        return {};
      }
      return parser.getChecked<MemoryAttr>(parser.getContext(), map, strides, bits, along, order);
    }
    auto parseStride = [&]() -> ParseResult {
      if (succeeded(parser.parseOptionalQuestion())) {
        strides.push_back(ShapedType::kDynamic);
        return success();
      }
      return parser.parseInteger(strides.emplace_back());
    };
    if (parser.parseKeyword("strides") || parser.parseEqual() ||
        parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseStride))
      return {};
  }
  if (parser.parseGreater())
    return {};
  return parser.getChecked<MemoryAttr>(parser.getContext(), map, strides, bits, along, order);
}

void MemoryAttr::print(AsmPrinter &printer) const {
  printer << '<';
  getMap().print(printer.getStream());
  if (!getStrides().empty()) {
    printer << ", strides = [";
    llvm::interleaveComma(getStrides(), printer, [&](int64_t stride) {
      if (ShapedType::isDynamic(stride))
        printer << '?';
      else
        printer << stride;
    });
    printer << ']';
  }
  if (getBits() != 0)
    printer << ", bits = " << getBits() << " along " << getAlong();
  if (!getOrder().empty())
    printer << ", order = " << getOrderText(getOrder());
  printer << '>';
}

//===----------------------------------------------------------------------===//
// #tile.schedule
//===----------------------------------------------------------------------===//

LogicalResult ScheduleAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t version,
                                   DictionaryAttr dims, DictionaryAttr choices) {
  if (version != kVersion)
    return emitError() << "expects a schedule of version " << kVersion << ", but got " << version;
  for (NamedAttribute entry : dims) {
    auto sizes = dyn_cast<ArrayAttr>(entry.getValue());
    if (!sizes)
      return emitError() << "expects sizes of dimension '" << entry.getName().getValue()
                         << "' to be a list, but got " << entry.getValue();
    for (Attribute size : sizes) {
      auto value = dyn_cast<IntegerAttr>(size);
      if (!value || value.getInt() <= 0)
        return emitError() << "expects sizes of dimension '" << entry.getName().getValue()
                           << "' to be positive, but got " << size;
    }
  }
  return success();
}

SmallVector<int64_t> ScheduleAttr::getSizes(StringRef dim) const {
  SmallVector<int64_t> sizes;
  if (auto list = getDims().getAs<ArrayAttr>(dim))
    for (Attribute size : list)
      sizes.push_back(cast<IntegerAttr>(size).getInt());
  return sizes;
}

uint64_t ScheduleAttr::getHash() const {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << Attribute(*this);
  return llvm::xxh3_64bits(text);
}

Attribute ScheduleAttr::parse(AsmParser &parser, Type) {
  // The version is one token ("v1"), so that text of another version fails on its first word.
  StringRef word;
  int64_t version;
  DictionaryAttr dims, choices;
  llvm::SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseKeyword(&word))
    return {};
  if (!word.consume_front("v") || word.getAsInteger(10, version)) {
    parser.emitError(loc, "expects a schedule version such as v1, but got '") << word << "'";
    return {};
  }
  if (parser.parseComma() || parser.parseKeyword("dims") || parser.parseEqual() ||
      parser.parseAttribute(dims) || parser.parseComma() || parser.parseKeyword("choices") ||
      parser.parseEqual() || parser.parseAttribute(choices) || parser.parseGreater())
    return {};
  return parser.getChecked<ScheduleAttr>(parser.getContext(), version, dims, choices);
}

void ScheduleAttr::print(AsmPrinter &printer) const {
  printer << "<v" << getVersion() << ", dims = {";
  llvm::interleaveComma(getDims(), printer, [&](NamedAttribute entry) {
    printer << entry.getName().getValue() << " = [";
    llvm::interleaveComma(cast<ArrayAttr>(entry.getValue()), printer,
                          [&](Attribute size) { printer << cast<IntegerAttr>(size).getInt(); });
    printer << ']';
  });
  printer << "}, choices = " << getChoices() << '>';
}

//===----------------------------------------------------------------------===//
// !tile.view
//===----------------------------------------------------------------------===//

LogicalResult ViewType::verify(function_ref<InFlightDiagnostic()> emitError,
                               ArrayRef<int64_t> shape, Type elementType, MemoryAttr memory) {
  if (!elementType.isIntOrIndexOrFloat())
    return emitError() << "expects an integer or float element type, but got " << elementType;
  for (int64_t extent : shape)
    if (extent < 0 && !ShapedType::isDynamic(extent))
      return emitError() << "expects non-negative extents, but got " << extent;
  if (memory && memory.getMap().getNumDims() != shape.size())
    return emitError() << "expects a memory map of " << shape.size()
                       << " dimensions, the view's rank, but got " << memory.getMap().getNumDims();
  if (memory && memory.getBits() != 0) {
    auto integer = dyn_cast<IntegerType>(elementType);
    if (!integer || integer.getWidth() < memory.getBits() || integer.getWidth() > kPackedWordBits)
      return emitError() << "expects codes of " << memory.getBits() << " bits in integers of "
                         << memory.getBits() << " to " << kPackedWordBits << " bits, but got "
                         << elementType;
  }
  return success();
}

int64_t ViewType::getNumDynamicDims() const {
  return llvm::count_if(getShape(), ShapedType::isDynamic);
}

int64_t ViewType::getNumDynamicStrides() const {
  return getMemory() ? llvm::count_if(getMemory().getStrides(), ShapedType::isDynamic) : 0;
}

AffineMap ViewType::getPhysicalMap() const {
  return getMemory() ? getMemory().getMap()
                     : AffineMap::getMultiDimIdentityMap(getRank(), getContext());
}

int64_t ViewType::getElementBytes() const {
  if (getPackedBits() != 0)
    return kPackedWordBits / 8;
  if (getElementType().isIndex())
    return 8;
  return (getElementType().getIntOrFloatBitWidth() + 7) / 8;
}

Type ViewType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape;
  Type elementType;
  MemoryAttr memory;
  if (parser.parseLess() || parser.parseDimensionList(shape) || parser.parseType(elementType))
    return {};
  if (succeeded(parser.parseOptionalComma()) && parser.parseAttribute(memory))
    return {};
  if (parser.parseGreater())
    return {};
  return parser.getChecked<ViewType>(parser.getContext(), shape, elementType, memory);
}

void ViewType::print(AsmPrinter &printer) const {
  printer << '<';
  for (int64_t extent : getShape()) {
    if (ShapedType::isDynamic(extent))
      printer << '?';
    else
      printer << extent;
    printer << 'x';
  }
  printer << getElementType();
  if (getMemory())
    printer << ", " << Attribute(getMemory());
  printer << '>';
}
