//===- PackedCodes.cpp - codes of fewer bits than a byte in words -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where packed codes lie follows from #tile.memory: the word of each register's code,
// and the bit there, which is the same for all threads if the order was made for the
// layout. Words are loaded as many at once as are aligned, and kept for the registers,
// and other parts of the tile, that share them: all that a thread multiplies of a
// column may be one access of 16 bytes. What the ops on numbers make of words and
// bits is in Decode.cpp; other ops get codes, shifted and masked.
//
// Copies to shared memory take whole words, 16 bytes at once, in the order of memory.
//
//===----------------------------------------------------------------------===//

#include "ThreadEmitter.h"

#include "dialects/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;
using namespace sectile::tile;
using layout::Axis;
using layout::MemoryLayout;

static constexpr int64_t kWordBytes = kPackedWordBits / 8;

/// The word at `address`, with neighbours that come with it.
Value ThreadEmitter::loadWord(Value root, const Poly &address, const Condition &condition) {
  Value base = views.resolve(root).base;
  bool isShared = !isa<BlockArgument>(root);
  int64_t alignment = isShared ? kSharedAlignment : getAlignment(root);
  // Neighbours within the alignment of all that differs between threads, and within memory.
  int64_t width = target.getVectorBytes() / kWordBytes;
  const Poly &words = views.resolve(root).words;
  Poly varying = address.withoutConstant();
  while (width > 1 && (!varying.isMultipleOf(width) || !words.isMultipleOf(width) ||
                       width * kWordBytes > alignment))
    width /= 2;
  int64_t place = llvm::mod(address.constant, width);
  Poly first = address - Poly(place);
  for (const LoadedWords &known : loadedWords)
    if (known.root == root && known.address == first && known.condition == condition)
      return known.words[place];
  Type type = getPartType(builder.getI32Type(), width);
  Value pointer = builder.emitPointer(loc, base, builder.getI32Type(), first);
  Value value =
      loadIf(condition, type, pointer, std::min(width * kWordBytes, alignment), Attribute());
  LoadedWords &loaded = loadedWords.emplace_back(LoadedWords{root, first, condition, {}});
  for (int64_t i = 0; i < width; ++i)
    loaded.words.push_back(width == 1 ? value : extractLane(builder, loc, value, i));
  return loaded.words[place];
}

LogicalResult ThreadEmitter::emitPackedLoad(LoadOp op) {
  if (op->hasOneUse() && op->user_begin()->hasAttr(kAsyncAttr))
    return success(); // the store copies words
  bool isTile = isa<RankedTensorType>(op.getType());
  std::optional<DistributedLayout> layout;
  if (isTile)
    layout = layoutOf(op.getResult());
  int64_t count = layout ? layout->extent(Axis::Register) : 1;
  SmallVector<Poly> symbols = polysOf(op.getMapOperands());
  SmallVector<Poly> setSymbols = polysOf(op.getSetOperands());
  if (!op.getIndices().empty())
    return refuse(op) << "expects packed codes at affine places, but got a gather";
  Value root;
  // The barrier comes before any word that is kept.
  SmallVector<Place> places;
  SmallVector<Condition> conditions;
  for (int64_t reg = 0; reg < count; ++reg) {
    SmallVector<Poly> dims, coordinates;
    Condition condition;
    if (layout) {
      dims = coordinatesOf(*layout, reg);
      condition = isValid(*layout, reg);
    }
    if (std::optional<IntegerSet> set = op.getWhere())
      requireSet(condition, *set, dims, setSymbols);
    for (AffineExpr expr : op.getMap().getResults())
      coordinates.push_back(algebra.evaluate(expr, dims, symbols));
    places.push_back(views.locate(op.getView(), coordinates, root));
    conditions.push_back(std::move(condition));
  }
  if (hazards.needsBarrier({.root = root, .isWrite = false}))
    emitBarrier();
  int64_t bits = views.resolve(root).type.getPackedBits();
  Type element = getRegisterType(op.getView().getType().getElementType());
  SmallVector<PackedCode> codes;
  SmallVector<Element> elements;
  bool isKnown = true;
  for (int64_t reg = 0; reg < count; ++reg) {
    const Place &place = places[reg];
    PackedCode code;
    code.word = loadWord(root, place.address, conditions[reg]);
    bool mayContinue = 8 % bits != 0;
    if (place.shift.isConstant() && place.byte.isConstant()) {
      code.byte = place.byte.constant;
      code.shift = place.shift.constant;
      mayContinue = code.shift + bits > 8;
    } else {
      isKnown = false;
    }
    code.next = mayContinue ? loadWord(root, place.last, conditions[reg]) : code.word;
    codes.push_back(code);
    Value value = takeCode(code, place, bits);
    if (element.getIntOrFloatBitWidth() < kPackedWordBits)
      value = arith::TruncIOp::create(builder, loc, element, value);
    // Masked words are zero, and so are their codes.
    auto fill = dyn_cast_if_present<IntegerAttr>(op.getFillAttr());
    if (fill && !fill.getValue().isZero()) {
      Value other =
          makeConstant(builder, loc, element, builder.getIntegerAttr(element, fill.getInt()));
      isKnown = false;
      if (conditions[reg].isNever)
        value = other;
      else if (Value holds = emitCondition(conditions[reg]))
        value = arith::SelectOp::create(builder, loc, holds, value, other);
    }
    elements.push_back({value, 0});
  }
  Value value = buildPart(builder, loc, elements);
  if (isTile)
    setTile(op.getResult(), value);
  else
    setScalar(op.getResult(), value);
  if (isKnown)
    packedCodes[op.getResult()] = {bits, std::move(codes)};
  return success();
}

/// The code's bits, in an i32.
Value ThreadEmitter::takeCode(const PackedCode &code, const Place &place, int64_t bits) {
  Type i32 = builder.getI32Type();
  auto constant = [&](int64_t value) {
    return makeConstant(builder, loc, i32, builder.getI32IntegerAttr(static_cast<int32_t>(value)));
  };
  auto right = [&](Value value, Value by) {
    return arith::ShRUIOp::create(builder, loc, value, by).getResult();
  };
  auto amount = [&](const Poly &poly) -> Value {
    if (poly.isConstant())
      return constant(poly.constant);
    return arith::TruncIOp::create(builder, loc, i32, builder.emit(loc, poly));
  };
  auto keep = [&](Value value, int64_t mask) {
    return arith::AndIOp::create(builder, loc, value, constant(mask)).getResult();
  };
  bool isApart = code.next != code.word || !place.shift.isConstant();
  if (!isApart || 8 % bits == 0)
    return keep(right(code.word, amount(place.byte + place.shift)), (1 << bits) - 1);
  // The same byte of both words, one above the other.
  Value byte = amount(place.byte);
  Value low = keep(right(code.word, byte), 0xff), high = keep(right(code.next, byte), 0xff);
  Value both = arith::OrIOp::create(builder, loc, low,
                                    arith::ShLIOp::create(builder, loc, high, constant(8)));
  return keep(right(both, amount(place.shift)), (1 << bits) - 1);
}

LogicalResult ThreadEmitter::emitPackedStore(StoreOp op) {
  auto load = op.getValue().getDefiningOp<LoadOp>();
  auto refuseCopy = [&] {
    return refuse(op)
           << "expects '" << kAsyncAttr
           << "' and whole words of packed codes, as a load reads them that nothing else "
              "uses";
  };
  if (!op->hasAttr(kAsyncAttr) || !load || !load->hasOneUse() || !load.getIndices().empty() ||
      op.getWhere() || !isa<RankedTensorType>(op.getValue().getType()))
    return refuseCopy();
  ViewType from = load.getView().getType(), to = op.getView().getType();
  if (from.getPackedBits() == 0 || from.getPackedBits() != to.getPackedBits() ||
      from.getMemory().getOrder() != to.getMemory().getOrder() ||
      !op.getView().getDefiningOp<AllocOp>())
    return refuseCopy();
  // Words of the tile in the order of memory: the last physical dimension has those of one run of
  // codes, whose other coordinates are the tile's, whole runs of them.
  ArrayRef<int64_t> shape = load.getTileShape();
  auto rank = static_cast<unsigned>(shape.size());
  AffineMap physical = to.getPhysicalMap();
  unsigned outer = static_cast<unsigned>(to.getRank()) - rank; // buffers
  int64_t along = to.getPackedDim();
  auto run = dyn_cast<AffineBinaryOpExpr>(physical.getResult(along));
  if (along + 1 != physical.getNumResults() || !run || run.getKind() != AffineExprKind::Mod)
    return refuseCopy();
  int64_t codes = cast<AffineConstantExpr>(run.getRHS()).getValue();
  unsigned alongDim = cast<AffineDimExpr>(run.getLHS()).getPosition() - outer;
  int64_t runWords = countPackedWords(codes, to.getPackedBits());
  int64_t atOnce = runWords % 4 == 0 ? 4 : runWords % 2 == 0 ? 2 : 1;
  SmallVector<int64_t> extents; // of the tile's physical dimensions but the last
  SmallVector<std::pair<unsigned, int64_t>> steps;
  int64_t pieces = runWords / atOnce;
  for (AffineExpr expr : physical.getResults().drop_back()) {
    auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
    unsigned dim = cast<AffineDimExpr>(binary ? binary.getLHS() : expr).getPosition();
    if (dim < outer)
      continue;
    int64_t factor = binary ? cast<AffineConstantExpr>(binary.getRHS()).getValue() : 1;
    if (binary && (expr.getKind() != AffineExprKind::FloorDiv || dim - outer != alongDim ||
                   shape[alongDim] % factor != 0))
      return refuseCopy();
    steps.push_back({dim - outer, factor});
    extents.push_back(shape[dim - outer] / factor);
    pieces *= extents.back();
  }
  SmallVector<Poly> symbols = polysOf(load.getMapOperands()),
                    setSymbols = polysOf(load.getSetOperands()),
                    toSymbols = polysOf(op.getMapOperands());
  int64_t threads = warps * target.threadsPerWarp;
  Poly thread = digitOf(static_cast<unsigned>(Axis::Lane), 1, target.threadsPerWarp) +
                digitOf(static_cast<unsigned>(Axis::Warp), 1, warps) * Poly(target.threadsPerWarp);
  Value root, toRoot;
  struct Piece {
    SmallVector<CopyPart> parts;
  };
  std::vector<Piece> copies;
  for (int64_t first = 0; first < pieces; first += threads) {
    Poly piece = thread + Poly(first);
    Condition takesPart;
    require(takesPart, Poly(pieces - 1) - piece);
    Poly word = algebra.mod(piece, Poly(runWords / atOnce)) * Poly(atOnce);
    Poly rest = algebra.floorDiv(piece, Poly(runWords / atOnce));
    SmallVector<Poly> tile(rank);
    for (size_t i = extents.size(); i-- > 0;) {
      Poly own = i == 0 ? rest : algebra.mod(rest, Poly(extents[i]));
      tile[steps[i].first] = own * Poly(steps[i].second);
      rest = algebra.floorDiv(rest, Poly(extents[i]));
    }
    auto locate = [&](Value view, AffineMap map, ArrayRef<Poly> operands, Value &where) {
      SmallVector<Poly> coordinates;
      for (AffineExpr expr : map.getResults())
        coordinates.push_back(algebra.evaluate(expr, tile, operands));
      Place place = views.locate(view, coordinates, where);
      return place;
    };
    Place source = locate(load.getView(), load.getMap(), symbols, root);
    Place place = locate(op.getView(), op.getMap(), toSymbols, toRoot);
    // A run begins at the first bit of its words.
    if (source.byte != Poly() || source.shift != Poly() || place.byte != Poly() ||
        place.shift != Poly())
      return refuseCopy();
    Condition isRead;
    if (std::optional<IntegerSet> set = load.getWhere())
      requireSet(isRead, *set, tile, setSymbols);
    Piece copy;
    for (int64_t i = 0; i < atOnce; ++i)
      copy.parts.push_back({source.address + word + Poly(i),
                            (place.address + word + Poly(i)) * Poly(kWordBytes), takesPart,
                            isRead});
    copies.push_back(std::move(copy));
  }
  bool isDue = hazards.needsBarrier({.root = toRoot, .isWrite = true});
  hazards.forgetLast(); // who reads it waits first, and that is when it is written
  if (isDue | hazards.needsBarrier({.root = root, .isWrite = false}))
    emitBarrier();
  Type i32 = builder.getI32Type();
  Value base = views.resolve(root).base;
  int64_t allWords = views.resolve(toRoot).words.constant;
  SharedTile shared{*MemoryLayout::rowMajor({allWords}, kPackedWordBits),
                    0,
                    i32,
                    toRoot,
                    views.resolve(toRoot).base,
                    {}};
  for (const Piece &copy : copies) {
    ArrayRef<CopyPart> rest(copy.parts);
    while (!rest.empty()) {
      std::optional<int64_t> width =
          getCopyWidth(rest, kWordBytes, getAlignment(root), target.getVectorBytes());
      if (!width)
        return refuseCopy();
      emitCopy(rest.take_front(*width), shared, base, i32);
      rest = rest.drop_front(*width);
    }
  }
  return success();
}
