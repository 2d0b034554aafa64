// Campaign's fault plans: where the trials of each configuration come from, and the lists that
// replay them.
#include <unistd.h>

#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "campaign/campaign.h"

namespace sagitta {

void Campaign::read_plans() {
  if (sources_.empty()) with_origins(experiment_, [this] { read_sources(); });
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
        source.sites =
            SiteMap(base.layout())
                .select(f.sites, experiment_.file, "$.fault.sites", "without protection");
      } else {
        source.sites = source.hardening.targets(
            sites.select(f.sites, experiment_.file, "$.fault.sites", name));
        if (source.sites.bits() == 0) {
          throw InputError(experiment_.file, "$.fault.sites",
                           fmt::format("every bit of '{}' is hardened in {}", f.sites, name),
                           "choose other sites, or \"population\": \"common\"");
        }
      }
    }
  }
  read_study_sources();
  check_memory();
}

// Records of faults that a trial of a configuration keeps, on average.
double Campaign::faults_kept(std::size_t configuration) const {
  const FaultPlan& f = experiment_.configurations[configuration].fault;
  if (f.of_registers()) return f.upsets;
  return keep_faults_ ? f.rate * static_cast<double>(sources_[configuration].elements) : 0;
}

// Trials are kept until the results are written, so more than memory holds must not begin.
void Campaign::check_memory() const {
  constexpr double kMostNamed = 10e6;  // more makes a list that nobody can read
  double bytes = 0;
  for (std::size_t i = 0; i < experiment_.configurations.size(); ++i) {
    const FaultPlan& f = experiment_.configurations[i].fault;
    const auto trials = static_cast<double>(f.trials);
    const double faults = faults_kept(i);
    if (!f.of_registers() && faults * trials > kMostNamed) {
      throw InputError(
          experiment_.file, "$.fault.rate",
          fmt::format("at {} the {} trials hit about {:.1e} {}s, and inject names each of them",
                      f.rate, f.trials, faults * trials, f.level),
          fmt::format("keep to {:.0e}: fewer trials, or a lower rate; sweep only counts them",
                      kMostNamed));
    }
    // A result and its place in the list of its image; once more on the way from the worker.
    const double each = sizeof(TrialResult) + sizeof(std::int64_t) +
                        static_cast<double>(sizeof(FaultRecord)) * faults;
    bytes += 2 * each * trials;
  }
  const double memory =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
  if (bytes <= memory) return;
  throw InputError(experiment_.file, "$.fault.trials",
                   fmt::format("the trials of all {} configurations need {:.0f} GB of memory, this "
                               "machine has {:.0f} GB",
                               experiment_.configurations.size(), bytes / 1e9, memory / 1e9),
                   "ask for fewer trials or configurations, in several runs with other seeds");
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

void Campaign::plan_trials() {
  with_origins(experiment_, [this] {
    if (batch() == 1) return;
    throw InputError(experiment_.file, "$.batch",
                     fmt::format("trials strike one image at a time, not a batch of {}", batch()),
                     "leave batch out; sagitta run takes it");
  });
  read_plans();
  for (const MachinePlan& plan : machines_) {
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
      }
      draw_images(index);
    }
  }
  for (const FloatPlan& plan : studies_) {
    for (const int index : plan.configurations) draw_images(index);
  }
}

// Which trials each image has.
void Campaign::draw_images(int configuration) {
  const auto index = static_cast<std::size_t>(configuration);
  const FaultPlan& f = experiment_.configurations[index].fault;
  TrialSource& source = sources_[index];
  source.by_image.assign(static_cast<std::size_t>(images_.count()), {});
  for (std::int64_t k = 0; k < f.trials; ++k) {
    const int image = f.list.empty() ? draw_image(f.seed, k, images_.count())
                                     : source.list[static_cast<std::size_t>(k)].image;
    source.by_image[static_cast<std::size_t>(image)].push_back(k);
  }
  FaultResult& result = fault_results_[index];
  result.sites = source.sites.bits();
  result.cycles = source.cycles;
  result.elements = source.elements;
  result.trials.resize(static_cast<std::size_t>(f.trials));
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
    faults.registers = draw_faults(f.seed, trial, f.upsets, source.sites, source.cycles);
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

FaultList Campaign::fault_list(int configuration) const {
  const Configuration& c = experiment_.configurations[static_cast<std::size_t>(configuration)];
  if (c.fault.of_floats()) return float_list(configuration);
  const MachinePlan& plan = machines_[static_cast<std::size_t>(machine_of(configuration))];
  const Machine machine(plan.program);
  const SiteMap sites(machine.layout());
  FaultList list;
  list.machine_digest = plan.digest;
  list.seed = c.fault.seed;
  list.model = c.fault.model;
  for (const TrialResult& t : faults(configuration).trials) {
    FaultList::Trial trial{t.trial, t.image, {}};
    for (const FaultRecord& f : t.faults) {
      trial.faults.push_back(fmt::format("{}@{}", sites.path(f.site), f.cycle));
    }
    for (const WeightRecord& w : t.weights) {
      trial.faults.push_back(weight_path(network(), original(plan.orders, w.fault)));
    }
    list.trials.push_back(std::move(trial));
  }
  return list;
}

}  // namespace sagitta
