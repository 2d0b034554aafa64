// Whole files.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace sagitta {

// The bytes of a regular file. Throws InputError naming the path when missing or unreadable.
std::string read_file(const std::string& path);

// Writes a whole file: to a temporary neighbour first, then renamed, so that no partial file is
// ever seen. Throws InputError naming the path.
void write_file(const std::string& path, const std::string& content);

// A file that grows: written to a temporary neighbour, which takes the name at the end. Without an
// end nothing is left behind. All members but the destructor throw InputError naming the path.
class OutputFile {
 public:
  explicit OutputFile(const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::string_view text);
  std::int64_t bytes() const { return bytes_; }
  const std::string& path() const { return path_; }
  // All is written, and nothing more will be; then the name can be taken. With several files, close
  // all before the first takes its name.
  void close();
  void take_name();

 private:
  [[noreturn]] void fail() const;
  std::string path_;
  std::string temporary_;
  std::FILE* file_ = nullptr;
  std::int64_t bytes_ = 0;
};

}  // namespace sagitta
