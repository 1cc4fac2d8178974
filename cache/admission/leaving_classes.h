// Which blocks come back after they left DRAM, by what was known of them then. Learned from what
// did; when not all can be written, what comes back most often goes first.
#ifndef CAIRN_CACHE_ADMISSION_LEAVING_CLASSES_H_
#define CAIRN_CACHE_ADMISSION_LEAVING_CLASSES_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace cairn {

// Where a chain began.
enum class ChainOrigin : uint8_t {
  kRoot,        // behind nothing that is known
  kFork,        // behind a block with few other children: a session that goes on otherwise
  kBranch,      // with several
  kSharedRoot,  // with many
};

struct LeavingTraits {
  uint32_t uses = 0;    // 0: its chain was not used again; 1: its chain was; 2: the block itself
  uint32_t length = 1;  // of its chain so far, in blocks, counted from the root
  ChainOrigin origin{};
  bool is_leaf = false;  // nothing behind it, and in its run there would be room
};

// 1 and up.
using LeavingClass = uint16_t;
inline constexpr size_t kUseClasses = 3;
inline constexpr size_t kLengthClasses = 16;  // powers of two
inline constexpr size_t kOriginClasses = 4;
inline constexpr size_t kLeavingClasses = kUseClasses * kLengthClasses * kOriginClasses * 2;

LeavingClass LeavingClassOf(const LeavingTraits& traits);

// One thread. O(1) but for a new order every few hundred blocks (some 10 us). No allocation.
class LeavingClasses {
 public:
  LeavingClasses();

  // A block of so many bytes leaves DRAM.
  void Left(LeavingClass cls, uint64_t bytes);
  // One that left as of this class was asked for again.
  void Returned(LeavingClass cls);
  // Bytes that are written whatever their class: the less is left for the others.
  void LeftFavoured(uint64_t bytes) { favoured_bytes_ += static_cast<double>(bytes); }

  // Of the class's chains, which part should be written so that `share` of all bytes is: classes
  // that come back more often first.
  double PartOf(LeavingClass cls, double share);

 private:
  static constexpr uint32_t kBlocksPerOrder = 256;
  static constexpr uint32_t kBlocksPerFade = 16384;  // then all sums are halved
  // Before anything is known: one of four comes back.
  static constexpr double kPriorReturned = 1;
  static constexpr double kPriorLeft = 4;

  struct Sums {
    double left = 0;
    double returned = 0;
    double bytes = 0;
  };

  // As of the last order.
  struct Rank {
    double bytes_before = 0;  // of the classes that go first
    double bytes = 0;
  };

  double Chance(size_t index) const {
    return (sums_[index].returned + kPriorReturned) / (sums_[index].left + kPriorLeft);
  }
  void Order();
  void Fade();

  std::array<Sums, kLeavingClasses> sums_;
  double favoured_bytes_ = 0;
  std::array<uint16_t, kLeavingClasses> order_;  // best first
  std::array<Rank, kLeavingClasses> ranks_;      // by class
  double ranked_bytes_ = 0;                      // of all classes
  uint32_t order_interval_ = 1;
  uint32_t until_order_ = 0;
  uint32_t until_fade_ = kBlocksPerFade;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_ADMISSION_LEAVING_CLASSES_H_
