// Whole files.
#pragma once

#include <string>

namespace sagitta {

// The bytes of a regular file. Throws InputError naming the path when missing or unreadable.
std::string read_file(const std::string& path);

// Writes a whole file: to a temporary neighbour first, then renamed, so that no partial file is
// ever seen. Throws InputError naming the path.
void write_file(const std::string& path, const std::string& content);

}  // namespace sagitta
