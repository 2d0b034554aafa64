// Site globs and fault lists that name what the machine does not have.
#include "cli/command_line.h"

namespace sagitta::test {
namespace {

class CliFaults : public CommandLine {
 protected:
  CliFaults() { write_json("experiment.json", small()); }
  // Told before any work by `check`, and by the commands that inject.
  void injectors_refuse(const Arguments& options, const std::vector<std::string>& parts) const {
    for (const Arguments& command : commands()) {
      const std::string& name = command[0];
      if (name == "run" || name == "calibrate" || name == "sites") continue;
      refuses(command + options, parts);
    }
  }
  void bad_list(const std::string& text, const std::vector<std::string>& parts) const {
    write("faults.json", text);
    lists_refuse({"--set", "fault.list=faults.json"}, parts);
  }
  // `compare` takes no list.
  void lists_refuse(const Arguments& options, const std::vector<std::string>& parts) const {
    for (const std::string command : {"check", "inject", "sweep"}) {
      refuses(Arguments{command, "experiment.json"} + options, parts);
    }
  }
  static nlohmann::json list() {
    return {{"format", "sagitta-faults/1"},
            {"trials", {{{"image", 1}, {"faults", {"array.pe[0][0].acc:3@500"}}}}}};
  }
  void bad_list(const std::string& pointer, const nlohmann::json& value,
                std::vector<std::string> parts) const {
    nlohmann::json changed = list();
    changed[nlohmann::json::json_pointer(pointer)] = value;
    bad_list(changed.dump(), parts);
  }
};

TEST_F(CliFaults, GlobThatMatchesNothing) {
  injectors_refuse({"--set", "fault.sites=array.pf**.acc"},
                   {"$.fault.sites: 'array.pf**.acc' matches no register", "is array.pe[*][*].acc;",
                    "sagitta sites"});
  injectors_refuse({"--set", "fault.sites=array.pe.acc"}, {"nearest is array.pe[*][*].acc;"});
  injectors_refuse({"--set", "fault.sites=logic, memori"},
                   {"'memori' matches no register of the machine ", "the nearest is memory"});
  injectors_refuse({"--set", "fault.sites=everything"},
                   {"'everything' matches no register of the machine ",
                    "remedy: name all, logic, memory or path globs; `sagitta sites` lists all"});
  // However many stars, an answer comes at once.
  injectors_refuse({"--set", "fault.sites=" + std::string(40, '*') + "%"}, {"%' matches no reg"});
  injectors_refuse({"--set", "fault.sites=array.pe[16][0].acc"}, {"'array.pe[16][0].acc' matches"});
  injectors_refuse({"--set", "fault.sites=array.pe[0][0].a:8"}, {"'array.pe[0][0].a:8' matches"});
}

TEST_F(CliFaults, NoGlob) {
  injectors_refuse({"--set", "fault.sites=,"}, {"$.fault.sites: no sites are named", "all, logic"});
}

TEST_F(CliFaults, ListIsRightBeforeItIsChanged) {
  write_json("faults.json", list());
  done({"inject", "experiment.json", "--set", "fault.list=faults.json"});
}

TEST_F(CliFaults, ListThatIsNotJson) {
  bad_list("{\"format\":", {"faults.json: line 1, column 11: this is not JSON"});
}

TEST_F(CliFaults, ListOfAnotherForm) {
  bad_list("[]", {"faults.json: $: [] is not an object", "sagitta inject -o DIR"});
  bad_list("{}", {"faults.json: $.format: this key is missing"});
  bad_list("/format", "sagitta-faults/9", {"faults.json: $.format: \"sagitta-faults/9\" is not"});
  bad_list("/model", "sue", {"faults.json: $.model: 'sue' is not a fault model", "stuck-at-0"});
  bad_list("/seed", "one", {"faults.json: $.seed: \"one\" is not a whole number"});
  bad_list("/trials", nlohmann::json::array(), {"faults.json: $.trials: has no trial"});
  bad_list("/trials", 3, {"faults.json: $.trials: 3 is not a list"});
  bad_list("/trials/0", 3, {"faults.json: $.trials[0]: 3 is not an object"});
  bad_list("/trials/0", nlohmann::json::object(), {"$.trials[0].image: this key is missing"});
  bad_list("/trials/0/faults", "x", {"$.trials[0].faults: \"x\" is not a list"});
  bad_list("/trials/0/faults/0", 3, {"$.trials[0].faults[0]: 3 is not a string"});
}

TEST_F(CliFaults, ListWithABadImage) {
  const std::string where = "faults.json: $.trials[0].image: ";
  bad_list("/trials/0/image", 4, {where + "4 is not one of the 4 images"});
  bad_list("/trials/0/image", -1, {where + "-1 is not a whole number"});
  bad_list("/trials/0/image", 1.5, {where + "1.5 is not a whole number"});
  bad_list("/trials/0/image", 4294967296, {where + "4294967296 is not"});
}

TEST_F(CliFaults, ListWithABadSite) {
  const std::string where = "faults.json: $.trials[0].faults[0]: ";
  const auto bad_site = [&](const std::string& site, const std::vector<std::string>& parts) {
    bad_list("/trials/0/faults/0", site, parts);
  };
  bad_site("array.pe[0][0].acc:3", {where + "'array.pe[0][0].acc:3' is not SITE@CYCLE"});
  bad_site("array.pe[0][0].acc:3=2@5", {where, "has a bit stuck at '2'", "0 or 1"});
  bad_site("array.pe[0][0].acc:3=0", {where, "is not SITE=0@FIRST or SITE=0@FIRST..LAST"});
  bad_site("array.pe[0][0].acc:3=0@9..8", {where, "ends before it begins"});
  bad_site("array.pe[0][0].acc:3@8..9", {where, "is a flip, which happens in one cycle", "=0@17"});
  bad_site("array.pe[0][0].acc@3", {where, "'array.pe[0][0].acc' is not a fault site"});
  bad_site("array.pe[0][0].acd:3@3", {where, "nearest register is array.pe[0][0].acc;"});
  bad_site("x:3@3", {where, "remedy: `sagitta sites` lists all registers; a site is one of"});
  bad_site("array.pe[0][16].acc:3@3", {where, "index 16 is outside 0..15"});
  bad_site("array.pe[0][0].a:8@3", {where, "bits 0..7"});
}

TEST_F(CliFaults, ListWithABadWeight) {
  const std::string where = "faults.json: $.trials[0].faults[0]: ";
  const auto bad_weight = [&](const std::string& weight, const std::vector<std::string>& parts) {
    bad_list("/trials/0/faults/0", weight, parts);
  };
  bad_weight("weights.x", {where + "'weights.x' is not a weight's bit", "weights.conv1[24][3]:7"});
  bad_weight("weights./conv1/Cnv[0][0]:1", {where + "'/conv1/Cnv' is no layer with weights"});
}

TEST_F(CliFaults, ListWithABadNeuron) {
  nlohmann::json real = list();
  real["values"] = "fp32";
  const auto bad_neuron = [&](const std::string& neuron, const std::vector<std::string>& parts) {
    real["trials"][0]["faults"][0] = neuron;
    bad_list(real.dump(), parts);
  };
  const std::string where = "faults.json: $.trials[0].faults[0]: ";
  bad_neuron("array.pe[0][0].acc:3@500",
             {where, "is not a neuron's bit", "neurons.conv1[3][14][5]:31"});
  bad_neuron("neurons.conv9[0][0][0]:1", {where + "'conv9' is no layer with neurons"});
  bad_neuron("neurons.conv1[0][0][0]:32", {where, "is not one of ", "neurons of 32 bits"});
  bad_list("/values", "fp16", {"faults.json: $.values: 'fp16' are no values"});
  bad_list("/trials/0/faults/0", "neurons.conv1[0][0][0]:1", {where});
}

// A study in software has no machine, and schemes that are more than checkers no place in it.
TEST_F(CliFaults, RealNumbersHaveNoHardware) {
  const std::string plan = R"(fault=[{"level":"neuron","values":"fp32","rate":0.1,"trials":3}])";
  for (const std::string command : {"run", "sites"}) {
    refuses({command, "experiment.json", "--set", plan},
            {"[0].values: fp32 is a study in software: there is no machine", "sagitta inject"});
  }
  refuses({"trace", "experiment.json", "--set", plan, "--vcd", "x.vcd", "--scope", "all"},
          {"[0].values: fp32 is a study in software: there is no machine"});
  const std::string text = done({"sweep", "experiment.json", "--set", plan});
  EXPECT_NE(text.find("fp32 neurons: a study in software"), std::string::npos) << text;
  EXPECT_NE(done({"check", "experiment.json", "--set", plan}).find("fp32, a study in software"),
            std::string::npos);
  all_refuse(
      {"--set", R"(scheme=["none","dmr"])", "--set", plan},
      {"[0].values: fp32 is a study in software, in which scheme dmr has no place", "int32"});
  nlohmann::json experiment = small();
  experiment["fault"] = {{"level", "neuron"}, {"values", {"int8", "fp32"}}, {"rate", 0.1}};
  experiment["scheme"] = "secded";
  write_json("experiment.json", experiment);
  refuses({"sweep", "experiment.json"},
          {"experiment.json: $.fault.values: fp32 is a study in software"});
}

// A list of every hit must be one that somebody can read; a sweep only counts.
TEST_F(CliFaults, MoreHitsThanAListCanName) {
  const std::string plan = R"(fault={"level":"neuron","rate":1,"trials":1000000})";
  refuses({"inject", "experiment.json", "--set", plan, "-o", "out"},
          {"fault={", "$.fault.rate: at 1 the 1000000 trials hit about ", "sweep only counts"});
  done({"sweep", "experiment.json", "--set",
        R"(fault={"level":"neuron","rate":1,"values":"int32","trials":3})"});
}

// A list from a machine with protection, on one without.
TEST_F(CliFaults, ListOfAnotherMachine) {
  bad_list("/trials/0/faults/0", "array.pe[0][0].acc.copy[1]:3@7",
           {"faults.json: $.trials[0].faults[0]: ", "array.pe[0][0].acc.copy[1]:3"});
}

}  // namespace
}  // namespace sagitta::test
