// A program that ends by itself.
#ifndef CAIRN_TESTS_PROCESS_RUN_TO_END_H_
#define CAIRN_TESTS_PROCESS_RUN_TO_END_H_

#include <string>
#include <vector>

namespace cairn::process {

struct Ending {
  int code;
  std::string output;  // its standard error
};

// Ends it itself after a minute: the code is then 128 and a signal's number.
Ending RunToEnd(const std::vector<std::string>& arguments);

}  // namespace cairn::process

#endif  // CAIRN_TESTS_PROCESS_RUN_TO_END_H_
