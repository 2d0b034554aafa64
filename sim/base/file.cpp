#include "base/file.h"

#include <array>
#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace sagitta {

std::string read_file(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    throw InputError(path, "", "there is no such file", "check the path");
  }
  std::ifstream file(path, std::ios::binary);
  std::string bytes;
  std::array<char, 65536> block{};
  while (file.read(block.data(), block.size()) || file.gcount() > 0) {
    bytes.append(block.data(), static_cast<std::size_t>(file.gcount()));
  }
  // A folder opens like a file and fails on its first read.
  if (!file.eof() || file.bad()) {
    throw InputError(path, "", "the file cannot be read",
                     "check that it is a regular file and its permissions");
  }
  return bytes;
}

}  // namespace sagitta
