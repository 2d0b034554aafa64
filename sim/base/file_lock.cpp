#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace sagitta {

FileLock::FileLock(std::string path, const std::string& what) : path_(std::move(path)) {
  for (;;) {
    file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file_ < 0) {
      throw InputError(what, "", std::string("cannot be written to: ") + std::strerror(errno),
                       "check the folder's permissions");
    }
    struct flock lock {};  // POSIX's, which forked processes do not inherit
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (fcntl(file_, F_SETLK, &lock) != 0) {
      const int reason = errno;
      fcntl(file_, F_GETLK, &lock);
      close(file_);
      if (reason != EACCES && reason != EAGAIN) {
        throw InputError(what, "", std::string("cannot be locked: ") + std::strerror(reason),
                         "use a folder of a local disk");
      }
      const std::string holder =
          lock.l_type != F_UNLCK && lock.l_pid > 0 ? " " + std::to_string(lock.l_pid) : "";
      throw InputError(what, "", "another process" + holder + " is writing to it",
                       "wait for it, or give another folder");
    }
    // Its last holder may have removed the file before this process had the lock.
    struct stat ours {
    }, there{};
    if (fstat(file_, &ours) == 0 && stat(path_.c_str(), &there) == 0 &&
        ours.st_ino == there.st_ino && ours.st_dev == there.st_dev) {
      return;
    }
    close(file_);
  }
}

FileLock::~FileLock() {
  unlink(path_.c_str());
  close(file_);
}

}  // namespace sagitta
