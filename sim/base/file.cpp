#include "base/file.h"

#include <cerrno>
#include <csignal>
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
  OutputFile file(path);
  file.write(content);
  file.close();
  file.take_name();
}

namespace {

// What a process that was killed left behind: files of this name and its number, which nobody has
// any more.
void remove_abandoned(const std::string& prefix) {
  const std::filesystem::path path(prefix);
  const std::string name = path.filename().string();
  std::error_code error;
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string other = entry.path().filename().string();
    if (!other.starts_with(name) || other.size() == name.size()) continue;
    const std::string number = other.substr(name.size());
    if (number.size() > 9 || number.find_first_not_of("0123456789") != std::string::npos) continue;
    const bool alive = kill(static_cast<pid_t>(std::stol(number)), 0) == 0 || errno != ESRCH;
    if (!alive) std::filesystem::remove(entry.path(), error);
  }
}

}  // namespace

OutputFile::OutputFile(const std::string& path)
    : path_(path), temporary_(path + ".tmp" + std::to_string(getpid())) {
  // The renaming would put a file in the place of a device, a pipe or an empty folder.
  std::error_code error;
  if (std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error)) {
    throw InputError(path, "", "cannot be written: it is not a regular file", "name a file");
  }
  remove_abandoned(path_ + ".tmp");
  file_ = std::fopen(temporary_.c_str(), "wb");
  if (file_ == nullptr) fail();
}

OutputFile::~OutputFile() {
  if (file_ != nullptr) std::fclose(file_);
  if (!temporary_.empty()) std::remove(temporary_.c_str());
}

void OutputFile::fail() const {
  throw InputError(path_, "", "cannot be written", "check that the folder exists and has room");
}

void OutputFile::write(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), file_) != text.size()) fail();
  bytes_ += static_cast<std::int64_t>(text.size());
}

void OutputFile::close() {
  std::FILE* file = file_;
  file_ = nullptr;
  if (std::fclose(file) != 0) fail();
}

void OutputFile::take_name() {
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail();
  temporary_.clear();
}

}  // namespace sagitta
