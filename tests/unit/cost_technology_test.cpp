// Technology files: what is loaded, and what the owner of a wrong one is told.
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "cost/cost.h"
#include "support/temporary_folder.h"

namespace sagitta {
namespace {

using nlohmann::json;

const std::string kFile = SAGITTA_SOURCE_DIR "/configs/tech/45nm.json";

const Technology& tech() {
  static const Technology technology = load_technology(kFile);
  return technology;
}

TEST(CostTechnology, LoadsWithItsIdentity) {
  EXPECT_EQ(tech().name, "45nm-published");
  EXPECT_EQ(tech().node_nm, 45);
  EXPECT_DOUBLE_EQ(tech().supply_v, 0.9);
  EXPECT_EQ(tech().path, kFile);
  EXPECT_EQ(tech().digest.size(), 64U);
  EXPECT_DOUBLE_EQ(tech().at("area.flip_flop_bit"), 4.522);
  EXPECT_DOUBLE_EQ(tech().at("clock.default_mhz"), 500);
}

TEST(CostTechnology, ReadsWhatTheSchemaRequiresInTheUnitsItStates) {
  const json schema = json::parse(read_file(SAGITTA_SOURCE_DIR "/configs/schema/tech.schema.json"));
  const json file = json::parse(read_file(kFile));
  const test::TemporaryFolder folder;
  std::size_t count = 0;
  for (const char* group : {"clock", "area", "energy", "leakage", "soft_error"}) {
    const json& g = schema.at("properties").at(group);
    for (const auto& key : g.at("required")) {
      const std::string name = key.get<std::string>();
      SCOPED_TRACE(std::string(group) + "." + name);
      ++count;
      EXPECT_NO_THROW(tech().at(std::string(group) + "." + name));
      EXPECT_EQ(
          file.at(group).at(name).at("unit"),
          g.at("properties").at(name).at("allOf").at(1).at("properties").at("unit").at("const"));
      json other = file;
      other[group][name]["unit"] = "fF";
      EXPECT_THROW(load_technology(folder.write("unit.json", other.dump())), InputError);
      other[group].erase(name);
      EXPECT_THROW(load_technology(folder.write("missing.json", other.dump())), InputError);
    }
  }
  EXPECT_EQ(count, tech().values.size());
  EXPECT_TRUE(tech().has("soft_error.sram"));
  json without = file;
  without.erase("soft_error");
  EXPECT_FALSE(
      load_technology(folder.write("no_rates.json", without.dump())).has("soft_error.sram"));
}

void expect_refused(const std::function<void(json&)>& change, const std::string& where,
                    const std::string& hint) {
  json file = json::parse(read_file(kFile));
  change(file);
  const test::TemporaryFolder folder;
  const std::string path = folder.write("tech.json", file.dump());
  try {
    load_technology(path);
    ADD_FAILURE() << "accepted, although " << where << " is wrong";
  } catch (const InputError& error) {
    EXPECT_EQ(error.file(), path);
    EXPECT_EQ(error.where(), where) << error.what();
    EXPECT_NE(std::string(error.what()).find(hint), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("remedy: "), std::string::npos) << error.what();
  }
}

TEST(CostTechnology, RefusesWhatItDoesNotUnderstand) {
  expect_refused([](json& f) { f["area"]["ader_bit"] = f["area"]["adder_bit"]; }, "/area/ader_bit",
                 "adder_bit");
  expect_refused([](json& f) { f.erase("leakage"); }, "/leakage", "missing");
  expect_refused([](json& f) { f["area"].erase("mux2_bit"); }, "/area/mux2_bit", "missing");
  expect_refused([](json& f) { f["energy"]["add_bit"]["unit"] = "fJ"; }, "/energy/add_bit/unit",
                 "pJ/bit");
  expect_refused([](json& f) { f["area"]["adder_bit"]["value"] = "4"; }, "/area/adder_bit/value",
                 "quotes");
  expect_refused([](json& f) { f["area"]["adder_bit"]["value"] = -4; }, "/area/adder_bit/value",
                 "negative");
  expect_refused([](json& f) { f["area"]["adder_bit"].erase("source"); }, "/area/adder_bit/source",
                 "missing");
  expect_refused([](json& f) { f["area"]["adder_bit"]["kind"] = "guessed"; },
                 "/area/adder_bit/kind", "derived");
  expect_refused([](json& f) { f["area"]["adder_bit"].erase("note"); }, "/area/adder_bit", "note");
  expect_refused([](json& f) { f["area"]["adder_bit"]["unti"] = 1; }, "/area/adder_bit/unti",
                 "unit");
  expect_refused([](json& f) { f["clock"]["default_mhz"]["value"] = 0; },
                 "/clock/default_mhz/value", "above 0");
  expect_refused([](json& f) { f["energy"]["sram_ref_bytes_small"]["value"] = 0; },
                 "/energy/sram_ref_bytes_small/value", "above 0");
  expect_refused([](json& f) { f["node_nm"]["value"] = 44.5; }, "/node_nm/value", "whole");
  expect_refused([](json& f) { f["supply_v"]["value"] = 0; }, "/supply_v/value", "above 0");
  expect_refused([](json& f) { f["published"]["add_int8_pj"]["value"] = "x"; },
                 "/published/add_int8_pj/value", "number");
  expect_refused([](json& f) { f = json::array(); }, "/", "object");
  expect_refused([](json& f) { f["area"] = 3; }, "/area", "object");
  expect_refused([](json& f) { f["name"] = ""; }, "/name", "empty");
}

TEST(CostTechnology, RefusesBrokenFiles) {
  const test::TemporaryFolder folder;
  EXPECT_THROW(load_technology(folder / "none.json"), InputError);
  EXPECT_THROW(load_technology(folder.write("half.json", "{\"name\": ")), InputError);
  try {
    load_technology(folder.write("twice.json", R"({"name": "a", "name": "b"})"));
    ADD_FAILURE() << "accepted a key that appears twice";
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("twice"), std::string::npos);
  }
}

TEST(CostTechnology, AskingForAnUnknownNumberNamesTheNearest) {
  try {
    tech().at("area.mux_bit");
    ADD_FAILURE();
  } catch (const InputError& error) {
    EXPECT_EQ(error.file(), kFile);
    EXPECT_EQ(error.where(), "/area/mux_bit");
    EXPECT_NE(std::string(error.what()).find("area.mux2_bit"), std::string::npos);
  }
}

}  // namespace
}  // namespace sagitta
