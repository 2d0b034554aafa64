// Campaign's fault plans: where the trials of each configuration come from, and the lists that
// replay them.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "campaign/campaign.h"
#include "campaign/fault_models.h"

namespace sagitta {
namespace {

constexpr double kMostNamed = 10e6;  // faults of a list: more makes one that nobody can read

}  // namespace

void Campaign::read_plans() {
  with_origins(experiment_, [this] {
    if (sources_.empty()) read_sources();
    check_room();
  });
}

void Campaign::read_sources() {
  sources_.resize(experiment_.configurations.size());
  for (const MachinePlan& plan : machines_) {
    const Machine machine(plan.program);
    const SiteMap sites(machine.layout());
    for (const int index : plan.configurations) {
      FaultPlan& f = experiment_.configurations[static_cast<std::size_t>(index)].fault;
      TrialSource& source = sources_[static_cast<std::size_t>(index)];
      const std::string& name = experiment_.configurations[static_cast<std::size_t>(index)].name;
      const std::string& at =
          experiment_.configurations[static_cast<std::size_t>(index)].fault_place;
      source.hardening = Hardening(plan.scheme, sites, experiment_.file, name);
      if (plan.scheme.oracle && f.level != "neuron") {
        throw InputError(
            experiment_.file, "$.scheme",
            "the oracle knows where neurons are struck, not where a " + f.level + " is",
            "leave it out, or set \"level\": \"neuron\" in the fault plan");
      }
      if (!f.of_registers()) {
        source.elements = f.level == "neuron" ? neuron_count(network()) : weight_count(network());
      } else if (!f.list.empty()) {
        read_list(f, source, [&](const std::string& fault, const std::string& place) {
          if (is_weight_path(fault)) {
            parse_weight_path(network(), fault, f.list, place);
          } else {
            parse_fault(sites, fault, f.list, place);
          }
        });
      } else if (f.population == "common") {
        const Machine base(unprotected(plan.array));
        const SiteMap base_sites(base.layout());
        source.sites =
            base_sites.select(f.sites, experiment_.file, "$.fault.sites", "without protection");
        check_cluster_sites(f, base_sites, source.sites, experiment_.file, at + ".sites");
      } else {
        source.sites = source.hardening.targets(
            sites.select(f.sites, experiment_.file, "$.fault.sites", name));
        if (source.sites.bits() == 0) {
          throw InputError(experiment_.file, "$.fault.sites",
                           fmt::format("every bit of '{}' is hardened in {}", f.sites, name),
                           "choose other sites, or \"population\": \"common\"");
        }
        check_cluster_sites(f, sites, source.sites, experiment_.file, at + ".sites");
      }
    }
  }
  read_study_sources();
}

// Whether the store has the faults of this configuration's trials, each with its site.
bool Campaign::names_faults(int configuration) const {
  const FaultPlan& f = experiment_.configurations[static_cast<std::size_t>(configuration)].fault;
  return keep_faults_ || f.of_one_bit();
}

// What does not fit on the disk must not begin.
void Campaign::check_room() const {
  namespace fs = std::filesystem;
  constexpr double kTrialBytes = 45, kFaultBytes = 30;  // about, in the store: docs/store.md
  double bytes = 0;
  for (std::size_t i = 0; i < experiment_.configurations.size(); ++i) {
    const FaultPlan& f = experiment_.configurations[i].fault;
    // As far as they are known: a sample's number is once the fault space is.
    const auto trials = static_cast<double>(std::max(f.trials, sources_[i].decided));
    const double cluster = f.model == "mbu" ? f.cluster_size : 1;
    const double hits = f.of_registers()
                            ? (f.model == "rate" ? 0 : cluster * f.upsets)  // check_rate
                            : f.rate * static_cast<double>(sources_[i].elements);
    const double faults = names_faults(static_cast<int>(i)) ? hits : 0;
    if (!f.of_registers() && faults * trials > kMostNamed) {
      throw InputError(
          experiment_.file, "$.fault.rate",
          fmt::format("at {} the {:.0f} trials hit about {:.1e} {}s, and inject names each of them",
                      f.rate, trials, faults * trials, f.level),
          fmt::format("keep to {:.0e}: fewer trials, or a lower rate; sweep only counts them",
                      kMostNamed));
    }
    bytes += (kTrialBytes + kFaultBytes * faults) * trials / store_options_.shard.of;
  }
  std::error_code error;
  const std::string& path = store_options_.path;
  fs::path folder = path.empty() ? fs::temp_directory_path(error) : fs::absolute(path, error);
  while (!fs::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  const fs::space_info space = fs::space(folder, error);
  if (error) return;  // the store will say what is wrong with it
  const auto there = path.empty() || !fs::exists(path, error) ? 0 : fs::file_size(path, error);
  const double room = static_cast<double>(space.available) + static_cast<double>(there);
  if (bytes <= room) return;
  const std::size_t configurations = experiment_.configurations.size();
  throw InputError(
      experiment_.file, "$.fault.trials",
      fmt::format("the trials {} need about {:.4g} MB of disk, {} has {:.4g} MB",
                  configurations == 1 ? "asked for"
                                      : fmt::format("of all {} configurations", configurations),
                  bytes / 1e6, folder.string(), room / 1e6),
      "ask for fewer trials or configurations, or run shards on several disks");
}

// A rate of registers, once the cycles are known.
void Campaign::check_rate(int configuration) const {
  const Configuration& c = experiment_.configurations[static_cast<std::size_t>(configuration)];
  const FaultPlan& f = c.fault;
  if (!f.of_registers() || !f.list.empty() || f.model != "rate") return;
  constexpr double kMostUpsets = 1e6;  // of a trial, as `upsets` has
  const TrialSource& source = sources_[static_cast<std::size_t>(configuration)];
  const double targets =
      static_cast<double>(source.sites.bits()) * static_cast<double>(source.cycles);
  const double upsets = f.rate * targets;
  if (upsets > kMostUpsets) {
    throw error_at(experiment_, c.fault_place + ".rate",
                   fmt::format("at {} a trial has about {:.1e} upsets in {:.1e} bits x cycles",
                               f.rate, upsets, targets),
                   fmt::format("keep to {:.0e} a trial: a rate of {:.1e} at most", kMostUpsets,
                               kMostUpsets / targets));
  }
  const double named = upsets * static_cast<double>(f.trials);
  if (keep_faults_ && named > kMostNamed) {
    throw error_at(experiment_, c.fault_place + ".rate",
                   fmt::format("at {} the {} trials have about {:.1e} upsets, and inject names "
                               "each of them",
                               f.rate, f.trials, named),
                   fmt::format("keep to {:.0e}: fewer trials, or a lower rate; sweep only counts "
                               "them",
                               kMostNamed));
  }
}

void Campaign::check_image(const FaultPlan& plan, int image, const std::string& where) const {
  if (image < images_.count()) return;
  throw InputError(
      plan.list, where + ".image",
      fmt::format("{} is not one of the {} images of the experiment", image, images_.count()),
      "use as many images as the run that wrote the list");
}

void Campaign::read_list(FaultPlan& plan, TrialSource& source, const ParseFault& parse) const {
  const FaultList list = read_fault_list(plan.list);
  source.list = list.trials;
  plan.trials = static_cast<std::int64_t>(list.trials.size());
  plan.seed = list.seed;
  plan.model = list.model;
  for (std::size_t k = 0; k < list.trials.size(); ++k) {
    const auto& t = list.trials[k];
    const std::string where = fmt::format("$.trials[{}]", k);
    check_image(plan, t.image, where);
    for (std::size_t i = 0; i < t.faults.size(); ++i) {  // refuse a bad list before any work
      parse(t.faults[i], fmt::format("{}.faults[{}]", where, i));
    }
  }
}

Program Campaign::unprotected(const ArrayShape& array) const {
  return compile_for(network(), array, Protection{});
}

void Campaign::plan_trials(std::optional<int> only) {
  with_origins(experiment_, [this] {
    if (batch() == 1) return;
    throw InputError(experiment_.file, "$.batch",
                     fmt::format("trials strike one image at a time, not a batch of {}", batch()),
                     "leave batch out; sagitta run takes it");
  });
  with_origins(experiment_, [&] {
    if (sources_.empty()) read_sources();
    refuse_shards();
    plan_samples(only);
    if (!only) check_room();
  });
}

// Where the points of the machines' fault spaces are, and how many trials strike them.
void Campaign::plan_samples(std::optional<int> only) {
  for (const MachinePlan& plan : machines_) {
    if (only && &plan - machines_.data() != *only) continue;
    TrialEngine engine(plan.program, *plan.network);
    for (const int index : plan.configurations) {
      const FaultPlan& f = experiment_.configurations[static_cast<std::size_t>(index)].fault;
      TrialSource& source = sources_[static_cast<std::size_t>(index)];
      source.cycles = engine.clean_cycles();
      if (f.of_registers() && f.list.empty() && f.population == "common") {
        const Program base = unprotected(plan.array);
        TrialEngine base_engine(base, network());
        source.cycles = base_engine.clean_cycles();
        source.common = std::make_shared<const CommonPopulation>(base, base_engine.sites(),
                                                                 plan.program, engine.sites());
        plan_sample(static_cast<std::size_t>(index), base, base_engine);
      } else {
        plan_sample(static_cast<std::size_t>(index), plan.program, engine);
      }
      check_rate(index);
    }
  }
  for (const FloatPlan& plan : studies_) {
    for (const int index : plan.configurations) {
      count_trials(static_cast<std::size_t>(index));
    }
  }
}

int Campaign::image_of(int configuration, std::int64_t trial) const {
  const FaultPlan& f = experiment_.configurations[static_cast<std::size_t>(configuration)].fault;
  const TrialSource& source = sources_[static_cast<std::size_t>(configuration)];
  if (source.sampler) return source.sampler->point(trial).image;
  return f.list.empty() ? draw_image(f.seed, trial, images_.count())
                        : source.list[static_cast<std::size_t>(trial)].image;
}

TrialFaults Campaign::faults_of(const TrialEngine& engine, int configuration,
                                std::int64_t trial) const {
  const TrialSource& source = sources_[static_cast<std::size_t>(configuration)];
  const FaultPlan& f = experiment_.configurations[static_cast<std::size_t>(configuration)].fault;
  const auto& orders = machines_[static_cast<std::size_t>(machine_of(configuration))].orders;
  TrialFaults faults;
  if (f.level == "neuron") {
    faults.values = neuron_values(f.values);
    faults.neurons = draw_neuron_faults(f.seed, trial, f.rate, faults.values, network());
    move(orders, network(), faults);
    return faults;
  }
  if (f.level == "weight") {
    faults.weights = draw_weight_faults(f.seed, trial, f.rate, network());
    move(orders, network(), faults);
    return faults;
  }
  if (f.list.empty()) {
    const SiteMap& map = source.common ? source.common->base_sites() : engine.sites();
    faults.registers = source.sampler
                           ? std::vector{source.sampler->point(trial).fault}
                           : draw_register_faults(f, trial, map, source.sites, source.cycles);
    if (source.common) {
      for (Fault& fault : faults.registers) fault = source.common->carry(fault);
    }
    source.hardening.thin(f.seed, trial, faults.registers);
    return faults;
  }
  for (const std::string& text : source.list[static_cast<std::size_t>(trial)].faults) {
    if (is_weight_path(text)) {
      faults.weights.push_back(parse_weight_path(network(), text, f.list, ""));
    } else {
      faults.registers.push_back(parse_fault(engine.sites(), text, f.list, ""));
    }
  }
  source.hardening.thin(f.seed, trial, faults.registers);
  move(orders, network(), faults);
  return faults;
}

void Campaign::write_fault_list(int configuration, const std::string& path) const {
  const Configuration& c = experiment_.configurations[static_cast<std::size_t>(configuration)];
  const bool floats = c.fault.of_floats();
  const int machine = machine_of(configuration);
  FaultList head;
  head.seed = c.fault.seed;
  head.model = c.fault.model;
  if (floats) head.values = "fp32";
  head.machine_digest = floats ? studies_[static_cast<std::size_t>(study_of(configuration))].digest
                               : machines_[static_cast<std::size_t>(machine)].digest;
  static const std::vector<LayerOrder> kNatural;
  const auto& orders = floats ? kNatural : machines_[static_cast<std::size_t>(machine)].orders;
  const SiteMap sites(floats ? std::vector<RegisterClass>{}
                             : machines_[static_cast<std::size_t>(machine)].registers);
  FaultListWriter list(head, path);
  store().each_trial(configuration, [&](const TrialResult& t) {
    FaultList::Trial trial{t.trial, t.image, {}};
    for (const FaultRecord& f : t.faults) {
      trial.faults.push_back(fault_text(sites, f.fault()));
    }
    for (const WeightRecord& w : t.weights) {
      trial.faults.push_back(weight_path(network(), original(orders, w.fault)));
    }
    for (const FloatRecord& r : t.floats) trial.faults.push_back(neuron_path(network(), r.fault));
    list.add(trial);
  });
  list.finish();
}

}  // namespace sagitta
