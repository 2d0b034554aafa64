#include "network/npy.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/file.h"

namespace sagitta {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are copied as they lie");

constexpr std::string_view kMagic("\x93NUMPY", 6);

struct TypeName {
  std::string_view code;  // NumPy's descr without the byte order
  NpyType type;
  int size;
};
constexpr TypeName kTypes[] = {
    {"i1", NpyType::int8, 1},    {"u1", NpyType::uint8, 1},  {"i2", NpyType::int16, 2},
    {"u2", NpyType::uint16, 2},  {"i4", NpyType::int32, 4},  {"u4", NpyType::uint32, 4},
    {"i8", NpyType::int64, 8},   {"u8", NpyType::uint64, 8}, {"f4", NpyType::float32, 4},
    {"f8", NpyType::float64, 8},
};

const TypeName& description(NpyType type) {
  return *std::find_if(std::begin(kTypes), std::end(kTypes),
                       [&](const TypeName& name) { return name.type == type; });
}

constexpr const char* kWriteAgain = "write the array again with numpy.save";

// The header is a Python dictionary literal with exactly three keys. Only what NumPy writes is
// understood: strings, True and False, and tuples of integers.
class Header {
 public:
  Header(std::string_view text, const std::string& path) : text_(text), path_(path) {
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr" && !type_) {
        type_ = parse_type();
      } else if (key == "fortran_order" && !fortran_) {
        fortran_ = boolean();
      } else if (key == "shape" && !shape_) {
        shape_ = tuple();
      } else {
        fail("key '" + key + "' is unknown or repeated");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (at_ != text_.size()) fail("text after the dictionary");
    if (!type_ || !fortran_ || !shape_) fail("one of descr, fortran_order and shape is missing");
  }

  NpyType type() const { return *type_; }
  bool fortran() const { return *fortran_; }
  const std::vector<std::int64_t>& shape() const { return *shape_; }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw InputError(path_, "header", problem, kWriteAgain);
  }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }

  bool accept(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!accept(c)) fail(std::string("expected '") + c + "' at byte " + std::to_string(at_));
  }

  std::string string() {
    const char quote = accept('\'') ? '\'' : '"';
    if (quote == '"') expect('"');
    const std::size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) fail("a string without an end");
    std::string value(text_.substr(at_, end - at_));
    at_ = end + 1;
    return value;
  }

  bool boolean() {
    skip_space();
    for (const auto& [word, value] : {std::pair{"True", true}, std::pair{"False", false}}) {
      if (text_.substr(at_).starts_with(word)) {
        at_ += std::strlen(word);
        return value;
      }
    }
    fail("fortran_order is neither True nor False");
  }

  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> values;
    expect('(');
    while (!accept(')')) {
      skip_space();
      const std::size_t start = at_;
      std::int64_t value = 0;
      for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
        if (value > std::numeric_limits<std::int64_t>::max() / 10 - 1) fail("shape is too large");
        value = value * 10 + (text_[at_] - '0');
      }
      if (at_ == start) fail("shape holds something that is not a natural number");
      values.push_back(value);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return values;
  }

  NpyType parse_type() {
    skip_space();
    if (at_ < text_.size() && text_[at_] == '[') fail("structured arrays are not supported");
    const std::string descr = string();
    const std::string_view code = std::string_view(descr).substr(descr.empty() ? 0 : 1);
    for (const TypeName& name : kTypes) {
      if (name.code != code) continue;
      if (descr[0] == '<' || descr[0] == '=' || (descr[0] == '|' && name.size == 1)) {
        return name.type;
      }
      if (descr[0] == '>' && name.size == 1) return name.type;
      if (descr[0] == '>') {
        throw InputError(path_, "header", "the array is big endian (" + descr + ")",
                         "convert it with array.astype(array.dtype.newbyteorder('<'))");
      }
    }
    throw InputError(path_, "header", "elements of type '" + descr + "' are not supported",
                     "convert the array to an integer type, float32 or float64");
  }

  std::string_view text_;
  const std::string& path_;
  std::size_t at_ = 0;
  std::optional<NpyType> type_;
  std::optional<bool> fortran_;
  std::optional<std::vector<std::int64_t>> shape_;
};

// Number of bytes that `shape` needs, or nothing when that is more than `limit`.
std::optional<std::size_t> bytes_needed(const std::vector<std::int64_t>& shape, int size,
                                        std::size_t limit) {
  // A dimension of zero makes the array empty however large the others are.
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  std::size_t total = static_cast<std::size_t>(size);
  if (total > limit) return std::nullopt;
  for (const std::int64_t extent : shape) {
    if (static_cast<std::size_t>(extent) > limit / total) return std::nullopt;
    total *= static_cast<std::size_t>(extent);
  }
  return total;
}

void copy_from_fortran_order(const char* from, int size, NpyArray& array) {
  std::vector<std::int64_t> index(array.shape.size());
  for (std::size_t to = 0; to < array.bytes.size(); to += size) {
    std::size_t offset = 0;
    for (std::size_t axis = index.size(); axis-- > 0;) {
      offset = offset * array.shape[axis] + index[axis];
    }
    std::memcpy(array.bytes.data() + to, from + offset * size, size);
    for (std::size_t axis = index.size(); axis-- > 0;) {
      if (++index[axis] < array.shape[axis]) break;
      index[axis] = 0;
    }
  }
}

// Calls visit(element) for every element in its own type.
template <typename Visit>
void for_each_element(const NpyArray& array, Visit visit) {
  const auto run = [&]<typename T>(T value) {
    for (std::size_t at = 0; at + sizeof(T) <= array.bytes.size(); at += sizeof(T)) {
      std::memcpy(&value, array.bytes.data() + at, sizeof(T));
      visit(value);
    }
  };
  switch (array.type) {
    case NpyType::int8:
      return run(std::int8_t{});
    case NpyType::uint8:
      return run(std::uint8_t{});
    case NpyType::int16:
      return run(std::int16_t{});
    case NpyType::uint16:
      return run(std::uint16_t{});
    case NpyType::int32:
      return run(std::int32_t{});
    case NpyType::uint32:
      return run(std::uint32_t{});
    case NpyType::int64:
      return run(std::int64_t{});
    case NpyType::uint64:
      return run(std::uint64_t{});
    case NpyType::float32:
      return run(float{});
    case NpyType::float64:
      return run(double{});
  }
}

template <typename Target>
std::vector<Target> convert(const NpyArray& array, const std::string& file, const char* name) {
  using Limits = std::numeric_limits<Target>;
  std::vector<Target> values;
  values.reserve(array.bytes.size() / description(array.type).size);
  for_each_element(array, [&](auto element) {
    // Compared as double: every limit of a type of up to 32 bits is exact there, and integers
    // beyond 2^53 stay beyond the limits.
    const auto value = static_cast<double>(element);
    if (!(value >= Limits::min() && value <= Limits::max()) || value != std::floor(value)) {
      throw InputError(file, "element " + std::to_string(values.size()),
                       "the value " + std::to_string(value) + " is not an " + name,
                       std::string("store the array as ") + name);
    }
    values.push_back(static_cast<Target>(value));
  });
  return values;
}

template <typename T>
void write_array(const std::string& path, const std::vector<std::int64_t>& shape, NpyType type,
                 const std::vector<T>& values) {
  const TypeName& name = description(type);
  const auto needed = bytes_needed(shape, name.size, std::numeric_limits<std::int64_t>::max());
  if (!needed || *needed != values.size() * sizeof(T)) {
    throw std::invalid_argument("write_npy: the shape does not fit the values");
  }
  std::string header = std::string("{'descr': '") + (name.size == 1 ? '|' : '<') +
                       std::string(name.code) + "', 'fortran_order': False, 'shape': (";
  for (const std::int64_t extent : shape) header += std::to_string(extent) + ", ";
  header += "), }";
  // The format asks for data that starts at a multiple of 64 bytes and a header that ends in \n.
  constexpr std::size_t kPreamble = 10;
  header.append(63 - (kPreamble + header.size()) % 64, ' ');
  header += '\n';

  std::string content(kMagic);
  content +=
      {'\x01', '\0', static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  content += header;
  content.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  write_file(path, content);
}

}  // namespace

std::int64_t NpyArray::elements() const {
  return static_cast<std::int64_t>(bytes.size()) / description(type).size;
}

std::vector<std::int8_t> NpyArray::as_int8(const std::string& file) const {
  return convert<std::int8_t>(*this, file, "int8");
}

std::vector<std::int32_t> NpyArray::as_int32(const std::string& file) const {
  return convert<std::int32_t>(*this, file, "int32");
}

std::vector<double> NpyArray::as_double() const {
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(elements()));
  for_each_element(*this, [&](auto element) { values.push_back(static_cast<double>(element)); });
  return values;
}

NpyArray read_npy(const std::string& path) {
  const std::string bytes = read_file(path);
  const std::string_view text = bytes;
  if (!text.starts_with(kMagic)) {
    throw InputError(path, "", "this is not a NumPy .npy file", kWriteAgain);
  }
  const auto byte = [&](std::size_t at) {
    if (at >= text.size()) throw InputError(path, "header", "the file is truncated", kWriteAgain);
    return static_cast<std::size_t>(static_cast<unsigned char>(text[at]));
  };
  const std::size_t version = byte(6);
  if (version < 1 || version > 3 || byte(7) != 0) {
    throw InputError(path, "header", "the format version is not 1.0, 2.0 or 3.0", kWriteAgain);
  }
  // Version 1 has a 16-bit header length, the later ones 32 bits.
  std::size_t start = 10;
  std::size_t length = byte(8) | byte(9) << 8;
  if (version > 1) {
    length |= byte(10) << 16 | byte(11) << 24;
    start = 12;
  }
  if (length > text.size() - start) {
    throw InputError(path, "header", "the file is truncated", kWriteAgain);
  }
  const Header header(text.substr(start, length), path);
  const std::string_view data = text.substr(start + length);

  NpyArray array{header.type(), header.shape(), {}};
  const int size = description(array.type).size;
  const auto needed = bytes_needed(array.shape, size, data.size());
  if (needed != data.size()) {
    throw InputError(path, "",
                     "the shape needs " + (needed ? std::to_string(*needed) : "more") +
                         " bytes of data, the file has " + std::to_string(data.size()),
                     kWriteAgain);
  }
  array.bytes.resize(data.size());
  if (header.fortran() && array.shape.size() > 1) {
    copy_from_fortran_order(data.data(), size, array);
  } else {
    std::copy(data.begin(), data.end(), array.bytes.begin());
  }
  return array;
}

void write_npy(const std::string& path, const std::vector<std::int64_t>& shape,
               const std::vector<std::int8_t>& values) {
  write_array(path, shape, NpyType::int8, values);
}

void write_npy(const std::string& path, const std::vector<std::int64_t>& shape,
               const std::vector<std::int32_t>& values) {
  write_array(path, shape, NpyType::int32, values);
}

void write_npy(const std::string& path, const std::vector<std::int64_t>& shape,
               const std::vector<std::uint8_t>& values) {
  write_array(path, shape, NpyType::uint8, values);
}

}  // namespace sagitta
