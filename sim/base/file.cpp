#include "base/file.h"

#include <cstdio>

#include <unistd.h>

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

void write_file(const std::string& path, const std::string& content) {
  // The renaming would put a file in the place of a device, a pipe or an empty folder.
  std::error_code error;
  if (std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error)) {
    throw InputError(path, "", "cannot be written: it is not a regular file", "name a file");
  }
  const std::string temporary = path + ".tmp" + std::to_string(getpid());
  std::ofstream file(temporary, std::ios::binary);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  file.close();
  if (!file || std::rename(temporary.c_str(), path.c_str()) != 0) {
    std::remove(temporary.c_str());
    throw InputError(path, "", "cannot be written", "check that the folder exists and has room");
  }
}

}  // namespace sagitta
