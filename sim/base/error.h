// Errors that a user can act on. The command line prints them as one message and exits with 2.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace sagitta {

// Bad input: names the file, the place in it (a JSON path, a node, a line), what is wrong with
// the value, and the remedy. `file` and `where` may be empty when there is none.
class InputError : public std::runtime_error {
 public:
  InputError(std::string file, std::string where, const std::string& problem,
             const std::string& remedy)
      : std::runtime_error(format(file, where, problem, remedy)),
        file_(std::move(file)),
        where_(std::move(where)),
        problem_(problem),
        remedy_(remedy) {}

  // The same error about another place: one that knows better where the value came from.
  InputError at(std::string file, std::string where) const {
    return {std::move(file), std::move(where), problem_, remedy_};
  }

  const std::string& file() const { return file_; }
  const std::string& where() const { return where_; }

 private:
  static std::string format(const std::string& file, const std::string& where,
                            const std::string& problem, const std::string& remedy) {
    std::string text = file;
    if (!where.empty()) text += text.empty() ? where : ": " + where;
    if (!text.empty()) text += ": ";
    text += problem;
    if (!remedy.empty()) text += "\n  remedy: " + remedy;
    return text;
  }

  std::string file_;
  std::string where_;
  std::string problem_;
  std::string remedy_;
};

}  // namespace sagitta
