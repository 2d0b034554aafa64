#include "campaign/json_text.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <iterator>
#include <set>
#include <vector>

#include "base/error.h"

namespace sagitta {
namespace {

using nlohmann::json;

// The JSON library writes and copies values recursively, so the stack bounds the depth.
constexpr int most_levels = 64;

// Reads a string and tells how far the parser has come, which the parser itself tells on syntax
// errors only. Copies share the count.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, std::size_t* consumed) : at_(at), consumed_(consumed) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    ++*consumed_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  std::size_t* consumed_;
};

std::string line_and_column(const std::string& text, std::size_t offset) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(offset, text.size()));
  const auto line = 1 + std::count(text.begin(), end, '\n');
  const auto newline = std::find(std::make_reverse_iterator(end), text.rend(), '\n');
  const auto column = 1 + std::distance(newline.base(), end);
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

// Walks the document once to find what makes it unfit; builds nothing.
class Inspector : public json::json_sax_t {
 public:
  Inspector(const std::string& text, const std::string& file, const std::size_t* consumed)
      : text_(text), file_(file), consumed_(consumed) {}

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_array(std::size_t) override { return enter(); }
  bool end_array() override {
    --depth_;
    return true;
  }

  bool start_object(std::size_t) override {
    keys_.emplace_back();
    return enter();
  }

  bool key(string_t& name) override {
    if (!keys_.back().insert(name).second) {
      // The parser has just read the closing quote.
      const std::size_t quoted = name.size() + 2;
      throw InputError(file_, line_and_column(text_, *consumed_ - std::min(*consumed_, quoted)),
                       "the key " + show_json(name) + " stands twice in one object",
                       "keep one of them; for several values write a list");
    }
    return true;
  }

  bool end_object() override {
    keys_.pop_back();
    --depth_;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const json::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 5: syntax error ..."
    std::string reason = error.what();
    for (const std::string mark : {"] ", "column ", ": "}) {
      const std::size_t found = reason.find(mark);
      if (found != std::string::npos) reason.erase(0, found + mark.size());
    }
    throw InputError(file_, line_and_column(text_, position == 0 ? 0 : position - 1),
                     "this is not JSON: " + reason,
                     "strings take double quotes, entries have commas between them and none after "
                     "the last, and there are no comments");
  }

 private:
  bool enter() {
    if (++depth_ > most_levels) {
      throw InputError(
          file_, line_and_column(text_, *consumed_ - 1),
          "lists and objects are nested more than " + std::to_string(most_levels) + " levels deep",
          "no file of ours needs that; check the brackets");
    }
    return true;
  }

  const std::string& text_;
  const std::string& file_;
  const std::size_t* consumed_;
  std::vector<std::set<std::string>> keys_;  // of the objects that are open
  int depth_ = 0;                            // lists and objects that are open
};

}  // namespace

nlohmann::json parse_json(const std::string& text, const std::string& file) {
  std::size_t consumed = 0;
  Inspector inspector(text, file, &consumed);
  json::sax_parse(CountingIterator(text.data(), &consumed),
                  CountingIterator(text.data() + text.size(), &consumed), &inspector);
  return json::parse(text);
}

std::string json_place(const std::string& parent, const std::string& key) {
  const bool plain = !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char letter) {
    return std::isalnum(letter) != 0 || letter == '_' || letter == '-' || letter == '$';
  });
  return plain ? parent + "." + key : parent + "[" + show_json(key) + "]";
}

std::string json_place(const std::string& parent, std::size_t index) {
  return parent + "[" + std::to_string(index) + "]";
}

std::string show_json(const nlohmann::json& value) {
  constexpr std::size_t limit = 60;
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > limit) text = text.substr(0, limit - 3) + "...";
  return text;
}

}  // namespace sagitta
