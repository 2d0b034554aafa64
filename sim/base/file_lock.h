// One process at a time.
#pragma once

#include <string>

namespace sagitta {

// Holds a lock file while alive. The lock is the kernel's and ends with the process, however that
// ends: a file that a killed process left behind locks nothing. Processes that this one forks do
// not hold it.
class FileLock {
 public:
  // Throws InputError, naming `what`, when another process holds it or the file cannot be made.
  FileLock(std::string path, const std::string& what);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  std::string path_;
  int file_ = -1;
};

}  // namespace sagitta
