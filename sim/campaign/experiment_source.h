// What the user wrote: the experiment file with the files it includes and the overrides of the
// command line merged in, valid against the schema, and with absolute paths.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "campaign/experiment.h"

namespace sagitta {

extern const char* const experiment_schema_text;  // configs/schema/experiment.schema.json

// One "--set key.path=value".
struct Override {
  std::string text;               // as given
  std::vector<std::string> keys;  // never empty
  std::string where;              // "$.array.rows"
  nlohmann::json value;           // files read and paths made absolute, from the current folder on
  std::vector<Origin> files;      // that it names
};

class ExperimentSource {
 public:
  // `part`: of a file with "parts", whose keys then stand beside the file's others; "": the file
  // has none. Throws InputError.
  ExperimentSource(std::string file, const std::vector<std::string>& overrides,
                   const std::string& part = "");

  // A resolved experiment, which stands for itself: `text` in place of what `file` holds now.
  static ExperimentSource resolved(std::string file, const std::string& text);

  const nlohmann::json& document() const { return document_; }
  const std::string& file() const { return file_; }
  const std::string& folder() const { return folder_; }  // of the file, absolute

  // In the order in which they took effect.
  const std::vector<Origin>& origins() const { return origins_; }

  // Throws InputError about a place in the document: names the override or the included file that
  // put the value there, or else the experiment's file.
  [[noreturn]] void fail(const std::string& where, const std::string& problem,
                         const std::string& remedy) const;

 private:
  ExperimentSource() = default;
  std::string file_;
  std::string folder_;
  std::vector<Origin> origins_;
  nlohmann::json document_;
};

}  // namespace sagitta
