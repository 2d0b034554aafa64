#include "campaign/campaign.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "campaign/dataflows.h"
#include "campaign/float_study.h"
#include "campaign/result_buffer.h"
#include "machine/accelerator.h"
#include "schedule/conservation.h"

namespace sagitta {
namespace {

// Everything that decides what a machine computes, and nothing else.
std::string machine_digest(const MachinePlan& plan, const Network& network) {
  std::string text = fmt::format(
      "{} {}x{} {} {} {} {} {} {} {}", network.digest, plan.array.rows, plan.array.columns,
      to_string(plan.program.array.dataflow), plan.scheme.kind + plan.scheme.options.dump(),
      plan.program.memory.activation_bytes, plan.program.memory.weight_rows,
      plan.program.memory.dram_latency, plan.program.memory.dram_bytes_per_cycle,
      plan.program.memory.dma_queue);
  if (plan.array.overlap) text += " overlap";
  if (plan.program.array.mixed()) text += " " + dataflows_name(plan.program.array);
  if (plan.program.array.folds()) {
    text += fmt::format(" {}", plan.program.memory.partial_rows);
  }
  if (plan.program.memory.activation_banks != 0) {
    text += fmt::format(" banks {} {}", plan.program.memory.activation_banks,
                        plan.program.memory.activation_port_bytes);
  }
  if (plan.program.batch != 1) text += fmt::format(" batch {}", plan.program.batch);
  for (const Transfer& t : plan.program.transfers) {
    text.append(reinterpret_cast<const char*>(t.bytes.data()), t.bytes.size());
  }
  return sha256(text);
}

Experiment with_network(Experiment experiment) {
  require_network(experiment);
  return experiment;
}

}  // namespace

Campaign::Campaign(Experiment experiment)
    : experiment_(with_network(std::move(experiment))),
      folder_(open_network(experiment_.network_path)),
      images_(folder_.load_test(experiment_.images)),
      technology_(load_technology(experiment_.technology_path)) {
  with_origins(experiment_, [this] { load(); });
}

void Campaign::load() {
  settle_float_plans(experiment_);
  settle_dataflows(experiment_, network(), "network " + network().name);
  if (experiment_.images > images_.count()) {
    throw InputError(experiment_.file, "$.images",
                     fmt::format("{} is more than the {} test images of {}", experiment_.images,
                                 images_.count(), folder_.test.images),
                     fmt::format("use at most {}, or leave it out to use all", images_.count()));
  }
  if (images_.count() % batch() != 0) {
    throw InputError(
        experiment_.file, "$.batch",
        fmt::format("{} images are no whole number of batches of {}", images_.count(), batch()),
        fmt::format("set images to {}, or batch to a divisor of {}",
                    std::max(1, images_.count() / batch()) * batch(), images_.count()));
  }
  thresholds_ = experiment_.thresholds_path.empty()
                    ? calibrate(experiment_, folder_)
                    : read_thresholds(experiment_.thresholds_path, folder_);
  if (!experiment_.thresholds_path.empty() && experiment_.calibration_images != 0 &&
      experiment_.calibration_images != thresholds_.images) {
    throw InputError(experiment_.thresholds_path, "$.data.images",
                     fmt::format("fitted on {} images, but the experiment asks for {}",
                                 thresholds_.images, experiment_.calibration_images),
                     "make it anew with sagitta calibrate, or leave calibration_images out");
  }
  compile_machines();
  results_.resize(machines_.size());
  study_results_.resize(studies_.size());
  fault_results_.resize(experiment_.configurations.size());
}

void Campaign::compile_machines() {
  for (std::size_t i = 0; i < experiment_.configurations.size(); ++i) {
    const Configuration& c = experiment_.configurations[i];
    if (c.fault.of_floats()) {
      plan_study(static_cast<int>(i));
      continue;
    }
    study_of_.push_back(-1);
    const auto same = [&c](const MachinePlan& m) {
      return m.array == c.array && m.scheme == c.scheme;
    };
    auto it = std::find_if(machines_.begin(), machines_.end(), same);
    if (it == machines_.end()) {
      MachinePlan plan;
      plan.array = c.array;
      plan.scheme = c.scheme;
      const std::string& fitted = experiment_.thresholds_path;
      const std::vector<ChannelOrder> orders = orders_of(c.scheme, c.array, thresholds_, fitted);
      if (!orders.empty()) plan.orders = layer_orders(network(), orders);
      plan.network = std::make_shared<const Network>(orders.empty() ? network()
                                                                    : reordered(network(), orders));
      plan.program = compile_for(*plan.network, c.array,
                                 protection_of(c.scheme, c.array, thresholds_, fitted));
      plan.digest = machine_digest(plan, network());
      const Machine machine(plan.program);
      plan.registers = machine.layout().classes();
      const SiteMap sites(machine.layout());
      plan.program.protection.hardened_bits =
          Hardening(c.scheme, sites, experiment_.file, c.name).bits(sites);
      machines_.push_back(std::move(plan));
      it = machines_.end() - 1;
    }
    it->configurations.push_back(static_cast<int>(i));
    machine_of_.push_back(static_cast<int>(it - machines_.begin()));
  }
}

Program Campaign::compile_for(const Network& network, const ArrayShape& array,
                              const Protection& protection) const {
  return compile(network, array, experiment_.memory, protection, experiment_.file, batch());
}

std::vector<std::int8_t> Campaign::pass(int first) const {
  std::vector<std::int8_t> images;
  for (int i = 0; i < batch(); ++i) {
    const auto image = images_.image(first + i);
    images.insert(images.end(), image.begin(), image.end());
  }
  return images;
}

void Campaign::run_clean(int workers, const Progress& progress) {
  // SystemC elaborates once a process, so each machine has workers of its own.
  const std::int64_t passes = images_.count() / batch();
  ProgressState state;
  state.total = static_cast<std::int64_t>(machines_.size()) * passes;
  const auto begin = std::chrono::steady_clock::now();
  const auto show = [&] {
    state.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (progress) progress(state);
  };
  for (std::size_t m = 0; m < machines_.size(); ++m) {
    std::vector<CleanResult> results(static_cast<std::size_t>(passes));
    const auto work = [&](WorkQueue& queue) {
      Accelerator accelerator("sagitta", machines_[m].program);
      Machine& machine = accelerator.machine();
      for (std::int64_t i = queue.next(); i >= 0; i = queue.next()) {
        const auto images = pass(static_cast<int>(i) * batch());
        machine.reset(images.data());
        if (!accelerator.run(INT64_MAX / 4))
          throw std::runtime_error("a fault-free run did not end");
        check_conservation(machines_[m].program, machine.counters(), machine.cycle());
        CleanResult c;
        c.image = static_cast<int>(i) * batch();
        c.logits = machine.logits();
        c.cycles = machine.cycle();
        c.mismatches = machine.mismatches();
        c.suppressed = static_cast<std::int64_t>(machine.suppressions().size());
        c.counters = machine.counters();
        put_clean(queue.results, static_cast<int>(m), c);
        queue.result_is_whole();
      }
    };
    const auto take = [&](Buffer& buffer) {
      get_results(
          buffer,
          [&](int, const CleanResult& c) {
            results[static_cast<std::size_t>(c.image / batch())] = c;
            ++state.done;
          },
          nullptr);
    };
    try {
      run_workers(workers, passes, {work, take, show});
    } catch (const LostWorker& e) {
      throw std::runtime_error(std::string(e.what()) + "; nothing was written\n  remedy: " +
                               "if memory ran out, use fewer workers: -j 1");
    }
    for (const CleanResult& c : results) add_clean(static_cast<int>(m), c);
  }
  show();
  finish();
}

void Campaign::add_clean(int machine, const CleanResult& clean) {
  MachineResult& r = results_[static_cast<std::size_t>(machine)];
  if (r.images == 0) {
    r.counters = clean.counters;
    for (LayerCounters& c : r.counters) c.mismatches = c.output_mismatches = c.suppressed = 0;
    r.logits.resize(static_cast<std::size_t>(images_.count()));
  }
  ++r.passes;
  r.images += batch();
  r.cycles_per_pass = clean.cycles;
  r.alarmed_passes += clean.mismatches > 0 || clean.suppressed > 0 ? 1 : 0;
  r.false_alarms += clean.mismatches;
  r.clean_suppressed += clean.suppressed;
  for (int i = 0; i < batch(); ++i) {
    const auto image = static_cast<std::size_t>(clean.image) + static_cast<std::size_t>(i);
    const auto first = clean.logits.begin() + std::ptrdiff_t{i} * network().classes();
    r.logits[image].assign(first, first + network().classes());
    r.correct += top1(r.logits[image]) == images_.labels[image] ? 1 : 0;
  }
  for (std::size_t l = 0; l < r.counters.size(); ++l) {
    r.counters[l].mismatches += clean.counters[l].mismatches;
    r.counters[l].output_mismatches += clean.counters[l].output_mismatches;
    r.counters[l].suppressed += clean.counters[l].suppressed;
  }
}

void Campaign::finish() {
  for (std::size_t m = 0; m < machines_.size(); ++m) {
    MachineResult& r = results_[m];
    const MachinePlan& plan = machines_[m];
    r.area = area_of(plan.program, plan.registers, technology_);
    r.energy = energy_of(plan.program, plan.registers, r.counters, r.cycles_per_pass,
                         experiment_.clock_mhz, r.area, technology_);
    r.clean_values = 0;
    for (const Layer& layer : network().layers) {
      if (layer.kind == LayerKind::gemm) r.clean_values += r.images * layer.output.elements();
    }
  }
}

const Campaign::Baseline& Campaign::baseline(const ArrayShape& array) const {
  for (const Baseline& b : baselines_) {
    if (b.array == array) return b;
  }
  const Program program = unprotected(array);
  Machine machine(program);
  const auto images = pass(0);
  machine.reset(images.data());
  while (!machine.done()) machine.step();
  const AreaBill area = area_of(program, machine.layout().classes(), technology_);
  const EnergyBill energy = energy_of(program, machine.layout().classes(), machine.counters(),
                                      machine.cycle(), experiment_.clock_mhz, area, technology_);
  baselines_.push_back({array, area.total_um2, energy.total_pj, machine.cycle()});
  return baselines_.back();
}

Overhead Campaign::overhead(int machine) const {
  const Baseline& b = baseline(machines_[static_cast<std::size_t>(machine)].array);
  const MachineResult& r = result(machine);
  return {r.area.total_um2 / b.area - 1, r.energy.total_pj / b.energy - 1,
          static_cast<double>(r.cycles_per_pass) / static_cast<double>(b.cycles) - 1};
}

}  // namespace sagitta
