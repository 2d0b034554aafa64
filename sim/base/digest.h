// SHA-256 (through OpenSSL), lower-case hexadecimal.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sagitta {

std::string sha256(std::string_view bytes);
std::string sha256_file(const std::string& path);  // throws InputError when unreadable

}  // namespace sagitta
