// Rows of cells as aligned columns.
#ifndef CAIRN_SERVER_CLI_TABLE_H_
#define CAIRN_SERVER_CLI_TABLE_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace cairn {

class Table {
 public:
  // alignment: one letter a column, 'l' or 'r'.
  explicit Table(std::string alignment) : alignment_(std::move(alignment)) {}

  // As many cells as columns, or fewer. Colours of a Palette take no room.
  void Add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  // A line a row, two spaces between columns, none at a line's end.
  std::string ToText() const;

 private:
  const std::string alignment_;
  std::vector<std::vector<std::string>> rows_;
};

// Letters that the text takes on a screen: colours of a Palette take none.
size_t WidthOf(const std::string& text);
// Its first letters, with their colours; a cut text ends without colour.
std::string CutToWidth(const std::string& text, size_t columns);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_TABLE_H_
