// A temporary folder with a network description in it, for experiment files to be written to.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "campaign/experiment.h"
#include "support/temporary_folder.h"

namespace sagitta::test {

class ExperimentFolder {
 public:
  ExperimentFolder() { write("net/network.json", "{}"); }

  // Without symbolic links, as the current folder reads once it has been entered.
  std::string path(const std::string& name) const {
    return (std::filesystem::canonical(folder_ / "") / name).string();
  }

  // Returns the path.
  std::string write(const std::string& name, const std::string& text) const {
    folder_.write(name, text);
    return path(name);
  }

  Experiment load(const std::string& text, const std::vector<std::string>& overrides = {}) const {
    return load_experiment(write("experiment.json", text), overrides);
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace sagitta::test
