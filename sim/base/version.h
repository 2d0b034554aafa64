// Version and commit of this build.
#pragma once

namespace sagitta {

extern const char* const kVersion;
extern const char* const kCommit;

}  // namespace sagitta
