// One test for each thing that can be wrong with an experiment: the message names file, place,
// value and remedy.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "campaign/experiment.h"
#include "support/experiment_folder.h"

namespace sagitta {
namespace {

using test::ExperimentFolder;

class ExperimentError : public ::testing::Test {
 protected:
  // Loads `text` and expects an error in `file` (empty: the experiment) at `where` whose message
  // contains every one of `parts`.
  void expect(const std::string& text, const std::vector<std::string>& overrides,
              const std::string& file, const std::string& where,
              const std::vector<std::string>& parts) {
    try {
      folder_.load(text, overrides);
      ADD_FAILURE() << "no error for " << text;
    } catch (const InputError& error) {
      EXPECT_EQ(error.file(), file.empty() ? folder_.path("experiment.json") : file);
      EXPECT_EQ(error.where(), where) << error.what();
      for (const std::string& part : parts) {
        EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
            << "no \"" << part << "\" in: " << error.what();
      }
      EXPECT_NE(std::string(error.what()).find("remedy: "), std::string::npos) << error.what();
    }
  }

  void expect(const std::string& text, const std::string& where,
              const std::vector<std::string>& parts) {
    expect(text, {}, "", where, parts);
  }

  // An error in an override of a file that is right.
  void expect_override(const std::string& override, const std::string& where,
                       const std::vector<std::string>& parts) {
    expect(R"({"network": "net", "array": {"rows": 4}, "scheme": "none"})", {override},
           "--set " + override, where, parts);
  }

  ExperimentFolder folder_;
};

TEST_F(ExperimentError, MissingFile) {
  EXPECT_THROW(load_experiment(folder_.path("absent.json"), {}), InputError);
}

TEST_F(ExperimentError, FolderInsteadOfFile) {
  EXPECT_THROW(load_experiment(folder_.path("net"), {}), InputError);
}

TEST_F(ExperimentError, SyntaxNamesLineAndColumn) {
  expect("{\n  \"network\": \"net\",\n  \"images\": 1O\n}", "line 3, column 14",
         {"this is not JSON", "syntax error"});
  expect("", "line 1, column 1", {"this is not JSON"});
  expect("{\"network\": \"net\",}", "line 1, column 19", {"none after the last"});
  expect("{\"network\": \"net\", \"clock_mhz\": 1e999}", "line 1, column 37", {"1e999"});
}

TEST_F(ExperimentError, KeyTwiceInOneObject) {
  expect("{\"network\": \"net\",\n \"array\": {\"rows\": 1, \"rows\": 2}}", "line 2, column 23",
         {"\"rows\" stands twice"});
}

TEST_F(ExperimentError, NestedTooDeep) {
  expect(std::string(100000, '['), "line 1, column 65", {"more than 64 levels"});
  expect_override("images=" + std::string(100000, '['), "line 1, column 65", {"64 levels"});
}

TEST_F(ExperimentError, PathThatNoFileSystemTakes) {
  const std::string path(5000, 'x');
  expect("{\"network\": \"" + path + "\"}", "$.network", {"there is no file"});
  expect("{\"network\": \"net\", \"array\": \"" + path + ".json\"}", "$.array",
         {"there is no file"});
}

TEST_F(ExperimentError, NotAnObject) {
  expect("[1, 2]", "$", {"[1,2] is not an experiment"});
}

TEST_F(ExperimentError, UnknownKeyNamesTheNearest) {
  expect(R"({"network": "net", "aray": {}})", "$.aray", {"unknown", "did you mean \"array\"?"});
  expect(R"({"network": "net", "array": {"rowz": 3}})", "$.array.rowz", {"\"rows\"", "cols"});
  expect(R"({"network": "net", "array": [{}, {"colls": 3}]})", "$.array[1].colls", {"\"cols\""});
  expect(R"({"network": "net", "fault": {"upset": 3}})", "$.fault.upset", {"\"upsets\""});
  expect(R"({"network": "net", "memory": {"dram latency": 3}})", "$.memory[\"dram latency\"]",
         {"\"dram_latency\""});
  expect(R"({"network": "net", "scheme": {"kind": "gradient", "k_dens": 3}})", "$.scheme.k_dens",
         {"\"k_dense\""});
  expect(R"({"network": "net", "images": 3, "image": 4})", "$.image", {"\"images\"?"});
}

TEST_F(ExperimentError, MisspeltRequiredKeyIsReportedAsUnknown) {
  expect(R"({"netwrok": "net"})", "$.netwrok", {"did you mean \"network\"?"});
}

TEST_F(ExperimentError, MissingKey) {
  expect("{}", "$.network", {"this key is missing", "add \"network\"", "folder"});
  expect(R"({"network": "net", "scheme": {"name": "x"}})", "$.scheme.kind", {"missing"});
}

TEST_F(ExperimentError, WrongType) {
  expect(R"({"network": 5})", "$.network", {"5 is a whole number", "write a string"});
  expect(R"({"network": "net", "array": {"rows": "16"}})", "$.array.rows",
         {"\"16\" is a string", "a whole number or a list"});
  expect(R"({"network": "net", "array": {"rows": 16.5}})", "$.array.rows",
         {"16.5 is a number with a decimal point"});
  expect(R"({"network": "net", "array": {"rows": [8, true]}})", "$.array.rows[1]",
         {"true is a truth value", "write a whole number"});
  expect(R"({"network": "net", "array": 16})", "$.array", {"an object", "a list"});
  expect(R"({"network": "net", "array": {"dataflow": 3}})", "$.array.dataflow",
         {"3 is a whole number", "a string", "an object", "a list"});
  expect(R"({"network": "net", "array": {"dataflow": {"layers": {"fc1": 1}}}})",
         "$.array.dataflow.layers.fc1", {"1 is a whole number", "a string"});
  expect(R"({"network": "net", "scheme": [3]})", "$.scheme[0]", {"3 is a whole number"});
  expect(R"({"network": "net", "scheme": null})", "$.scheme", {"null is no value"});
  expect(R"({"network": "net", "fault": []})", "$.fault", {"list is empty"});
  expect(R"({"network": "net", "fault": [{}, 3]})", "$.fault[1]",
         {"3 is a whole number", "an object"});
  expect(R"({"network": "net", "fault": {"sites": 7}})", "$.fault.sites", {"a string"});
  expect(R"({"network": "net", "fault": {"list": {}}})", "$.fault.list", {"a string", "null"});
  expect(R"({"network": "net", "images": "all"})", "$.images", {"a whole number or null"});
}

TEST_F(ExperimentError, OutOfRange) {
  expect(R"({"network": "net", "array": {"rows": 0}})", "$.array.rows",
         {"0 is below the minimum 1", "use a value from 1 to 256"});
  expect(R"({"network": "net", "array": {"rows": [8, 257]}})", "$.array.rows[1]",
         {"257 is above the maximum 256"});
  expect(R"({"network": "net", "array": [{"rows": 8}, {"rows": 8, "cols": 300}]})",
         "$.array[1].cols", {"300 is above"});
  expect(R"({"network": "net", "images": 0})", "$.images", {"0 is below the minimum 1"});
  expect(R"({"network": "net", "fault": {"seed": -1}})", "$.fault.seed", {"-1 is below"});
  expect(R"({"network": "net", "fault": {"seed": 18446744073709551615}})", "$.fault.seed",
         {"18446744073709551615 is above"});
  expect(R"({"network": "net", "fault": {"upsets": [1, 0]}})", "$.fault.upsets[1]", {"0 is below"});
  expect(R"({"network": "net", "clock_mhz": 0})", "$.clock_mhz",
         {"0 is not above 0", "above 0 and up to 100000"});
  expect(R"({"network": "net", "memory": {"dram_bytes_per_cycle": 0}})",
         "$.memory.dram_bytes_per_cycle", {"from 1 to 1024"});
}

TEST_F(ExperimentError, UnknownValueNamesTheNearest) {
  expect(R"({"network": "net", "scheme": "gradiant"})", "$.scheme",
         {"\"gradiant\" is not known", "did you mean \"gradient\"?", "\"tmr-pe\""});
  expect(R"({"network": "net", "scheme": ["none", "tmr"]})", "$.scheme[1]", {"\"tmr-pe\"?"});
  expect(R"({"network": "net", "scheme": {"kind": "range"}})", "$.scheme.kind", {"range-zero"});
  expect(R"({"network": "net", "array": {"dataflow": "rs"}})", "$.array.dataflow",
         {"\"rs\" is not known", "\"os\"", "\"ws\""});
  expect(R"({"network": "net", "array": {"dataflow": ["os", "rs"]}})", "$.array.dataflow[1]",
         {"\"rs\" is not known"});
  expect(R"({"network": "net", "array": {"dataflow": {"default": "rs"}}})",
         "$.array.dataflow.default", {"\"rs\" is not known", "\"os\""});
  expect(R"({"network": "net", "array": {"dataflow": ["os", {"layers": {"fc1": "wss"}}]}})",
         "$.array.dataflow[1].layers.fc1", {"\"wss\" is not known", "did you mean \"ws\"?"});
  expect(R"({"network": "net", "array": {"dataflow": {"layer": {"fc1": "ws"}}}})",
         "$.array.dataflow.layer", {"unknown", "did you mean \"layers\"?"});
  expect(R"({"network": "net", "array": {"overlap": "yes"}})", "$.array.overlap",
         {"true or false"});
  expect(R"({"network": "net", "fault": {"model": "mbus"}})", "$.fault.model",
         {"did you mean \"mbu\"?", "\"seu\"", "\"stuck-at-0\""});
  expect(R"({"network": "net", "fault": {"model": ["seu", "stuck"]}})", "$.fault.model[1]",
         {"\"stuck\" is not known"});
  expect(R"({"network": "net", "fault": {"population": "ours"}})", "$.fault.population",
         {"\"own\""});
}

// A key of one level of faults at another one.
TEST_F(ExperimentError, OptionOfAnotherFaultLevel) {
  const auto with = [](const std::string& fault) {
    return R"({"network": "net", "fault": )" + fault + "}";
  };
  for (const std::string level : {"neuron", "weight"}) {
    const std::string start = R"({"level": ")" + level + R"(", "rate": 0.1, )";
    expect(with(start + R"("upsets": 3})"), "$.fault.upsets", {"does not apply here", "register"});
    expect(with(start + R"("sites": "all"})"), "$.fault.sites", {"does not apply here"});
    expect(with(start + R"("list": "x"})"), "$.fault.list", {"does not apply here"});
    expect(with("[" + start + R"("population": "own"}])"), "$.fault[0].population",
           {"\"own\" does not apply here", "same neurons and weights"});
    expect(with(R"({"level": ")" + level + R"("})"), "$.fault.rate",
           {"this key is missing", "probability"});
    expect(with(R"({"level": ")" + level + R"(", "rate": 0})"), "$.fault.rate",
           {"0 is not above 0"});
    expect(with(R"({"level": ")" + level + R"(", "rate": [0.5, 1.5]})"), "$.fault.rate[1]",
           {"1.5 is above the maximum 1"});
  }
  expect(with(R"({"rate": 0.1})"), "$.fault.rate", {"does not apply here", "neuron and weight"});
  expect(with(R"({"level": "register", "values": "int8"})"), "$.fault.values",
         {"does not apply here", "neuron"});
  expect(with(R"({"level": "weight", "rate": 0.1, "values": "int8"})"), "$.fault.values",
         {"does not apply here"});
  expect(with(R"({"level": "neuron", "rate": 0.1, "values": "int16"})"), "$.fault.values",
         {"\"int16\" is not known here", "int32"});
  expect(with(R"({"level": "neurons", "rate": 0.1})"), "$.fault.level",
         {"\"neurons\" is not known here", "did you mean \"neuron\"?"});
  expect_override("fault.rate=0.1", "$.fault.rate", {"does not apply here"});
}

TEST_F(ExperimentError, OptionOfAnotherScheme) {
  expect(R"({"network": "net", "scheme": {"kind": "range-zero", "k_dense": 3}})",
         "$.scheme.k_dense", {"does not apply here", "\"bounds\": \"deviations\""});
  expect(R"({"network": "net", "scheme": ["none", {"kind": "tmr-pe", "granularity": "layer"}]})",
         "$.scheme[1].granularity", {"does not apply here", "the options of tmr-pe: with"});
  for (const std::string kind : {"tmr-reg", "tmr-array", "tmr-time", "dmr", "dmr-recompute"}) {
    expect(R"({"network": "net", "scheme": {"kind": ")" + kind + R"(", "gate": "row"}})",
           "$.scheme.gate", {"does not apply here", "the options of " + kind + ": with"});
  }
  expect(R"({"network": "net", "scheme": {"kind": "checksum-correct", "retries": 2}})",
         "$.scheme.retries", {"2 is above"});
  expect(R"({"network": "net", "scheme": {"kind": "checksum-recompute", "retries": 1}})",
         "$.scheme.retries", {"does not apply here"});
  expect(R"({"network": "net", "scheme": {"kind": "range-zero", "position": "output",
             "gate": "row-column"}})",
         "$.scheme.gate", {"outputs have no checksums of columns"});
  expect(R"({"network": "net", "scheme": {"kind": "range-zero", "rule": "spike"}})",
         "$.scheme.rule", {"does not apply here", "position, granularity, gate, bounds"});
  expect(R"({"network": "net", "scheme": {"kind": "gradient", "false_positives": 0.1}})",
         "$.scheme.false_positives", {"does not apply here", "quantile"});
  expect(R"({"network": "net", "scheme": {"kind": "secded", "gate": "row"}})", "$.scheme.gate",
         {"does not apply here", "the options of secded: with"});
  expect(R"({"network": "net", "scheme": {"kind": "parity", "hardened": "array.**"}})",
         "$.scheme.hardened", {"does not apply here"});
}

TEST_F(ExperimentError, HardenedWithoutRegistersOrWithAFactorAboveOne) {
  expect(R"({"network": "net", "scheme": "hardened"})", "$.scheme.hardened", {"is missing"});
  expect(R"({"network": "net", "scheme": {"kind": "hardened", "hardened": []}})",
         "$.scheme.hardened", {"this list is empty"});
  expect(R"({"network": "net", "scheme": {"kind": "hardened", "hardened": "array.**",
             "hardened_factor": 1.5}})",
         "$.scheme.hardened_factor", {"1.5 is above"});
}

TEST_F(ExperimentError, Parts) {
  expect(R"({"network": "net", "parts": {"a": {}, "b": {}}})", "$.parts",
         {"takes one part", "--part a"});
  expect(R"({"network": "net", "parts": {}})", "$.parts", {"holds a part or more"});
  expect(R"({"network": "net", "parts": [1]})", "$.parts", {"holds a part or more"});
  expect(R"({"network": "net", "parts": {"a": 3}})", "$.parts.a", {"3 is no part"});
  expect(R"({"network": "net", "parts": {"../a": {}}})", "$.parts[\"../a\"]", {"folder"});
  expect(R"({"network": ["net", "net/network.json"]})", "$.network",
         {"takes one network, not 2", "--set network="});
}

TEST_F(ExperimentError, Checkers) {
  const auto chain = [](const std::string& checker) {
    return R"({"network": "net", "scheme": ["none", {"kind": "chain", "checkers": [)" + checker +
           "]}]}";
  };
  expect(chain(R"({"kind": "rnge"})"), "$.scheme[1].checkers[0].kind",
         {"no checker \"rnge\"", "\"range\"?"});
  expect(chain(R"({"kind": "range"}, {"kind": "median", "bounds": "extremes"})"),
         "$.scheme[1].checkers[1].bounds", {"does not apply here", "no bounds"});
  expect(chain(R"({"kind": "range", "position": "output"}, {"kind": "range"})"),
         "$.scheme[1].checkers[1].position",
         {"behind one of outputs", "move it before the first checker"});
  expect(chain(R"({"kind": "range", "position": "input"})"), "$.scheme[1].checkers[0].position",
         {"\"sum\"", "\"output\""});
  expect(chain(R"({"kind": "range", "axis": "line"})"), "$.scheme[1].checkers[0].axis",
         {"does not apply here"});
  expect(chain(R"({"kind": "range", "suppress": "hold"})"), "$.scheme[1].checkers[0].suppress",
         {"cannot do \"hold\"", "\"zero\", \"clamp\""});
  expect(chain(R"({"kind": "gradient", "k_dense": 3})"), "$.scheme[1].checkers[0].k_dense",
         {"does not apply here", "deviations"});
  expect(chain(R"({"kind": "range", "gate": "column"})"), "$.scheme[1].checkers[0].gate",
         {"\"row\""});
  expect(chain(R"({"kind": "range", "bounds": "quantile", "false_positives": 1})"),
         "$.scheme[1].checkers[0].false_positives", {"1"});
  expect(chain(""), "$.scheme[1].checkers", {"empty"});
  expect(R"({"network": "net", "scheme": "chain"})", "$.scheme.checkers", {"is missing"});
  expect(R"({"network": "net", "scheme": {"kind": "median", "checkers": [{"kind": "range"}]}})",
         "$.scheme.checkers", {"does not apply here"});
}

TEST_F(ExperimentError, CombinedSchemes) {
  const auto scheme = [](const std::string& keys) {
    return R"({"network": "net", "scheme": {"kind": )" + keys + "}}";
  };
  expect(scheme(R"("gradient", "with": ["tmr-pe", "secdet"])"), "$.scheme.with[1]",
         {"\"secdet\" is not a scheme that can be added", "\"secded\"?"});
  expect(scheme(R"("gradient", "with": ["median"])"), "$.scheme.with[0]",
         {"the schemes that can are \"checksum-recompute\"", "\"tmr-pe\", \"tmr-reg\""});
  expect(scheme(R"("tmr-pe", "with": ["secded", "tmr-reg"])"), "$.scheme.with[1]",
         {"\"tmr-reg\" contradicts what the scheme has"});
  expect(scheme(R"("gradient", "with": ["parity", "secded"])"), "$.scheme.with[1]",
         {"contradicts"});
  expect(scheme(R"("dmr", "with": ["tmr-array"])"), "$.scheme.with[0]", {"contradicts"});
  expect(scheme(R"("none", "with": ["secded"])"), "$.scheme.with",
         {"does not apply here", "none has no options"});
  expect(scheme(R"("tmr-pe", "with": ["secded", "tmr-pe"])"), "$.scheme.with[1]",
         {"\"tmr-pe\" is the scheme itself"});
  expect(scheme(R"("checksum-correct", "retries": 0, "with": ["checksum-recompute"])"),
         "$.scheme.with[0]", {"runs tiles again", "set \"retries\" to 1"});
  expect(scheme(R"("oracle", "with": ["secded"])"), "$.scheme.with", {"does not apply here"});
  expect(scheme(R"("gradient", "with": [])"), "$.scheme.with", {"empty"});
  expect(scheme(R"("gradient", "with": "secded")"), "$.scheme.with", {"write a list"});
}

TEST_F(ExperimentError, EmptyListsAndStrings) {
  expect(R"({"network": "net", "array": {"rows": []}})", "$.array.rows", {"this list is empty"});
  expect(R"({"network": "net", "scheme": []})", "$.scheme", {"this list is empty"});
  expect(R"({"network": ""})", "$.network", {"this string is empty"});
}

TEST_F(ExperimentError, ValueTwiceInAList) {
  expect(R"({"network": "net", "fault": {"upsets": [1, 2, 1]}})", "$.fault.upsets",
         {"[1,2,1] holds a value twice"});
}

TEST_F(ExperimentError, ArrayTwice) {
  expect(R"({"network": "net", "array": [{"rows": 8}, {"rows": 8, "cols": 8}]})", "$.array",
         {"8x8 os is listed twice"});
  // A mixture of one dataflow is that dataflow; others are told apart by the layers that differ.
  expect(R"({"network": "net", "array": {"dataflow": ["os", {"layers": {"conv1": "os"}}]}})",
         "$.array", {"16x16 os is listed twice"});
  expect(R"({"network": "net", "array": {"dataflow": [
             {"default": "ws", "layers": {"a": "is"}},
             {"default": "ws", "layers": {"a": "is", "b": "ws"}}]}})",
         "$.array", {"16x16 ws a=is is listed twice"});
}

TEST_F(ExperimentError, ArrayIsAWordThatIsNoFile) {
  expect(R"({"network": "net", "array": "16x16"})", "$.array", {"\"16x16\"", ".json"});
}

TEST_F(ExperimentError, SchemeTwice) {
  expect(R"({"network": "net", "scheme": ["none", {"kind": "none"}]})", "$.scheme",
         {"the scheme none is listed twice"});
}

TEST_F(ExperimentError, SchemesThatShareAName) {
  expect(R"({"network": "net", "scheme": ["gradient", {"kind": "gradient", "k_dense": 3}]})",
         "$.scheme", {"different settings are called gradient", "a name of its own"});
}

TEST_F(ExperimentError, SchemeNamedLikeAnotherKind) {
  expect(R"({"network": "net", "scheme": {"kind": "gradient", "name": "none"}})", "$.scheme",
         {"kind gradient is named none"});
}

TEST_F(ExperimentError, SchemeNameThatTablesCannotHold) {
  expect(R"({"network": "net", "scheme": {"kind": "gradient", "name": "a,b"}})", "$.scheme.name",
         {"\"a,b\"", "Letters"});
}

TEST_F(ExperimentError, TooManyConfigurations) {
  nlohmann::json fault;
  for (int i = 1; i <= 101; ++i) fault["seed"].push_back(i);
  for (int i = 1; i <= 50; ++i) fault["upsets"].push_back(i);
  expect(R"({"network": "net", "array": {"rows": [1, 2], "cols": [1, 2]}})",
         {"fault=" + fault.dump()}, "", "$", {"20200 configurations", "10000"});
}

TEST_F(ExperimentError, ReferencedFilesMustExist) {
  expect(R"({"network": "nett"})", "$.network", {"there is no file", "nett", "relative to"});
  folder_.write("empty/readme", "");
  expect(R"({"network": "empty"})", "$.network", {"empty/network.json", "network folder"});
  expect(R"({"network": "net", "technology": "t.json"})", "$.technology", {"t.json"});
  expect(R"({"network": "net", "thresholds": "t.json"})", "$.thresholds", {"sagitta calibrate"});
  expect(R"({"network": "net", "fault": {"list": ["a.csv"]}})", "$.fault.list", {"a.csv"});
  expect(R"({"network": "net", "array": "a.json"})", "$.array", {"there is no file", "a.json"});
  expect(R"({"network": "net", "scheme": ["none", "s.json"]})", "$.scheme[1]", {"s.json"});
}

TEST_F(ExperimentError, IncludedFileIsNamed) {
  const std::string array = folder_.write("a.json", R"({"rows": 0})");
  expect(R"({"network": "net", "array": "a.json"})", {}, array, "$.rows", {"0 is below"});
  const std::string scheme = folder_.write("s.json", R"({"kind": "gradient", "gates": "row"})");
  expect(R"({"network": "net", "scheme": ["s.json"]})", {}, scheme, "$.gates", {"\"gate\""});
  const std::string list = folder_.write("l.json", "[1]");
  expect(R"({"network": "net", "array": "l.json"})", {}, list, "$", {"[1] is a list"});
  const std::string broken = folder_.write("b.json", "{");
  expect(R"({"network": "net", "array": "b.json"})", {}, broken, "line 1, column 2", {"not JSON"});
}

TEST_F(ExperimentError, OverrideWithUnknownKey) {
  expect_override("array.rowz=3", "$.array.rowz", {"unknown", "\"rows\""});
  expect_override("arry.rows=3", "$.arry", {"unknown", "\"array\""});
}

TEST_F(ExperimentError, OverrideWithBadValue) {
  expect_override("array.rows=0", "$.array.rows", {"0 is below the minimum 1"});
  expect_override("array.rows=[8,0]", "$.array.rows[1]", {"0 is below the minimum 1"});
  expect_override("scheme=gradiant", "$.scheme", {"did you mean \"gradient\"?"});
  expect_override(R"(array={"rows": 0})", "$.array.rows", {"0 is below the minimum 1"});
  expect_override("network=nowhere", "$.network", {"nowhere", "current folder"});
  expect_override("array=a.json", "$.array", {"there is no file", "a.json"});
}

TEST_F(ExperimentError, OverrideBelowAValue) {
  expect_override("scheme.k_dense=3", "$.scheme", {"\"none\" has no keys", "--set 'scheme=...'"});
  expect_override("array.rows.x=3", "$.array.rows", {"4 has no keys", "--set 'array.rows=...'"});
}

TEST_F(ExperimentError, OverrideThatIsNone) {
  expect_override("array.rows", "", {"there is no =", "--set array.rows=32"});
  expect_override("=3", "", {"a key before the = is empty"});
  expect_override("array..rows=3", "", {"a key before the = is empty"});
  expect_override("array={rows:3}", "line 1, column 2", {"this is not JSON"});
  expect_override("array.rows=[8,", "line 1, column 4", {"this is not JSON"});
  expect(R"({"network": "net"})", {"scheme=\xff"}, "--set", "", {"not UTF-8"});
}

TEST_F(ExperimentError, FileIsBlamedForWhatNoOverrideTouches) {
  expect(R"({"network": "net", "array": {"rows": 0}})", {"array.cols=3", "fault.seed=2"}, "",
         "$.array.rows", {"0 is below"});
}

// What is found only after loading: the file or override that holds the place, and the place in it.
TEST(PlaceOf, IsInTheFileOrOverrideThatGaveTheValue) {
  const std::vector<Origin> origins = {{"$.array[1]", "arrays/a.json", true},
                                       {"$.scheme", "s.json", true},
                                       {"$.array.rows", "--set array.rows=8"},
                                       {"$.memory", "--set memory={}"}};
  const auto place = [&](const std::string& where) {
    const Place p = place_of(where, origins, "e.json");
    return p.file + " " + p.where;
  };
  EXPECT_EQ(place("$.array[1].dataflow.layers.x"), "arrays/a.json $.dataflow.layers.x");
  EXPECT_EQ(place("$.array[0].dataflow.layers.x"), "e.json $.array[0].dataflow.layers.x");
  EXPECT_EQ(place("$.array[11].dataflow"), "e.json $.array[11].dataflow");
  EXPECT_EQ(place("$.scheme"), "e.json $.scheme") << "the file's name stands there";
  EXPECT_EQ(place("$.scheme.gate"), "s.json $.gate");
  EXPECT_EQ(place("$.array[1].rows"), "--set array.rows=8 $.array[1].rows") << "in every array";
  EXPECT_EQ(place("$.memory.weight_rows"), "--set memory={} $.memory.weight_rows");
  EXPECT_EQ(place("$.images"), "e.json $.images");
}

}  // namespace
}  // namespace sagitta
