// What a policy keeps for each group of blocks, made when the group gets its first block.
#ifndef CAIRN_CACHE_POLICY_GROUP_TABLE_H_
#define CAIRN_CACHE_POLICY_GROUP_TABLE_H_

#include <array>
#include <cstdint>
#include <memory>

namespace cairn {

// Blocks that can take each other's place: those of one size class.
using PolicyGroup = uint8_t;

template <typename T>
class GroupTable {
 public:
  template <typename... Arguments>
  T& Ensure(PolicyGroup group, Arguments&&... arguments) {
    if (items_[group] == nullptr) {
      items_[group] = std::make_unique<T>(std::forward<Arguments>(arguments)...);
    }
    return *items_[group];
  }
  // nullptr: the group never had a block.
  T* Find(PolicyGroup group) { return items_[group].get(); }
  template <typename Visit>
  void ForEach(Visit visit) {
    for (const std::unique_ptr<T>& item : items_) {
      if (item != nullptr) visit(*item);
    }
  }

 private:
  std::array<std::unique_ptr<T>, size_t{UINT8_MAX} + 1> items_;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_POLICY_GROUP_TABLE_H_
