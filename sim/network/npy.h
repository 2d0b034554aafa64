// NumPy .npy files (format versions 1.0 to 3.0, little endian, C or Fortran order on reading).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sagitta {

enum class NpyType { int8, uint8, int16, uint16, int32, uint32, int64, uint64, float32, float64 };

struct NpyArray {
  NpyType type = NpyType::int8;
  std::vector<std::int64_t> shape;
  std::vector<std::uint8_t> bytes;  // C order, little endian

  std::int64_t elements() const;
  // Converted copies. Throw InputError(file) when a value does not fit.
  std::vector<std::int8_t> as_int8(const std::string& file) const;
  std::vector<std::int32_t> as_int32(const std::string& file) const;
  std::vector<double> as_double() const;
};

// Throws InputError naming the file: missing, not NumPy, truncated, big endian, objects.
NpyArray read_npy(const std::string& path);

// Written to a temporary neighbour and renamed, so that no partial file is left behind.
void write_npy(const std::string& path, const std::vector<std::int64_t>& shape,
               const std::vector<std::int8_t>& values);
void write_npy(const std::string& path, const std::vector<std::int64_t>& shape,
               const std::vector<std::int32_t>& values);
void write_npy(const std::string& path, const std::vector<std::int64_t>& shape,
               const std::vector<std::uint8_t>& values);

}  // namespace sagitta
