// Whole files.
#pragma once

#include <string>

namespace sagitta {

// The bytes of a regular file. Throws InputError naming the path when missing or unreadable.
std::string read_file(const std::string& path);

}  // namespace sagitta
