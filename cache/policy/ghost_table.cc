#include "cache/policy/ghost_table.h"

#include <algorithm>

#include "base/status.h"

namespace cairn {
namespace {

constexpr int kUnitShift = 6;  // 64 ms
constexpr uint32_t kUnitMask = (1u << 24) - 1;
constexpr uint8_t kCountMask = kGhostCountMax;
constexpr int kMarkShift = 5;
constexpr int kHintShift = 6;

uint16_t PrintOf(const BlockKey& key) {
  const auto print = static_cast<uint16_t>(key.Word(1));
  return print == 0 ? 1 : print;
}

uint32_t UnitOf(int64_t ms) { return static_cast<uint32_t>(ms >> kUnitShift) & kUnitMask; }

}  // namespace

absl::StatusOr<GhostTable> GhostTable::Create() {
  CAIRN_ASSIGN_OR_RETURN(SparseArray<Line> lines, SparseArray<Line>::Create(kLinesMax));
  return GhostTable(std::move(lines));
}

uint64_t GhostTable::room() const { return used_lines_ * kWays; }

void GhostTable::SetRoom(uint64_t ghosts) {
  const uint64_t wanted = std::min((ghosts + kWays - 1) / kWays, kLinesMax);
  if (wanted <= used_lines_ + used_lines_ / 4 && (wanted < kLinesMax || used_lines_ == kLinesMax)) {
    return;
  }
  // What stands in the lines cannot be found any more but by chance, and gives way as the oldest.
  used_lines_ = wanted;
}

GhostTable::Line& GhostTable::LineOf(const BlockKey& key) {
  return lines_[static_cast<uint64_t>((static_cast<unsigned __int128>(key.Word(0)) * used_lines_) >>
                                      64)];
}

uint32_t GhostTable::AgeOf(const Line& line, size_t way, uint32_t now) {
  return (now - (uint32_t{line.epochs[way]} << 16 | line.times[way])) & kUnitMask;
}

int64_t GhostTable::Put(const BlockKey& key, const Ghost& ghost, int64_t now_ms) {
  if (used_lines_ == 0) return -1;
  Line& line = LineOf(key);
  const uint16_t print = PrintOf(key);
  const uint32_t now = UnitOf(now_ms);
  size_t way = 0;
  uint32_t oldest = 0;
  for (size_t i = 0; i < kWays; ++i) {
    const bool free = line.prints[i] == 0 || line.prints[i] == print;
    const uint32_t age = free ? UINT32_MAX : AgeOf(line, i, now);
    if (age >= oldest) {
      oldest = age;
      way = i;
    }
  }
  const uint32_t unit = UnitOf(ghost.at_ms);
  line.prints[way] = print;
  line.times[way] = static_cast<uint16_t>(unit);
  line.epochs[way] = static_cast<uint8_t>(unit >> 16);
  line.facts[way] =
      static_cast<uint8_t>(ghost.hint << kHintShift | uint32_t{ghost.mark} << kMarkShift |
                           std::min(ghost.count, kGhostCountMax));
  return oldest == UINT32_MAX ? -1 : int64_t{oldest} << kUnitShift;
}

bool GhostTable::Take(const BlockKey& key, int64_t now_ms, Ghost* ghost) {
  if (used_lines_ == 0) return false;
  Line& line = LineOf(key);
  const uint16_t print = PrintOf(key);
  for (size_t i = 0; i < kWays; ++i) {
    if (line.prints[i] != print) continue;
    line.prints[i] = 0;
    *ghost = {now_ms - (int64_t{AgeOf(line, i, UnitOf(now_ms))} << kUnitShift),
              uint32_t{line.facts[i]} & kCountMask, uint32_t{line.facts[i]} >> kHintShift,
              (line.facts[i] >> kMarkShift & 1) != 0};
    return true;
  }
  return false;
}

}  // namespace cairn
