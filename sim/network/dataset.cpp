#include "network/dataset.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/nearest.h"
#include "network/npy.h"
#include "network/onnx_import.h"

namespace sagitta {
namespace {

using nlohmann::json;

// One JSON object of the description, with the path that error messages name.
class Section {
 public:
  Section(const json& value, std::string file, std::string path)
      : value_(value), file_(std::move(file)), path_(std::move(path)) {
    if (!value.is_object()) fail("", "this must be an object", "write { ... }");
  }

  void allow(const std::vector<std::string>& known) const {
    for (const auto& [key, unused] : value_.items()) {
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        fail(key, "this key is unknown", suggest(key, known, "keys"));
      }
    }
  }

  bool has(const std::string& key) const { return value_.contains(key); }

  Section section(const std::string& key) const { return {get(key), file_, path_ + "/" + key}; }

  std::string text(const std::string& key) const {
    const json& value = get(key);
    if (!value.is_string() || value.get_ref<const std::string&>().empty()) {
      fail(key, "this must be a string that is not empty", "put a name in quotes");
    }
    return value.get<std::string>();
  }

  double number(const std::string& key, double otherwise) const {
    return has(key) ? finite(get(key), key) : otherwise;
  }

  std::vector<double> numbers(const std::string& key, double otherwise) const {
    if (!has(key)) return {otherwise};
    std::vector<double> values;
    for (const json& item : list(key)) values.push_back(finite(item, key));
    return values;
  }

  std::vector<std::string> texts(const std::string& key) const {
    std::vector<std::string> values;
    for (const json& item : list(key)) {
      if (!item.is_string()) fail(key, "every entry must be a string", "put them in quotes");
      values.push_back(item.get<std::string>());
    }
    return values;
  }

  [[noreturn]] void fail(const std::string& key, const std::string& problem,
                         const std::string& remedy) const {
    const std::string where = key.empty() ? path_ : path_ + "/" + key;
    throw InputError(file_, where.empty() ? "/" : where, problem, remedy);
  }

 private:
  const json& get(const std::string& key) const {
    const auto found = value_.find(key);
    if (found == value_.end()) {
      fail(key, "this key is missing", "see configs/schema/network.schema.json for an example");
    }
    return *found;
  }

  const json& list(const std::string& key) const {
    const json& value = get(key);
    if (!value.is_array() || value.empty()) {
      fail(key, "this must be a list that is not empty", "write [ ... ]");
    }
    return value;
  }

  double finite(const json& value, const std::string& key) const {
    // 1e999 parses to infinity.
    if (!value.is_number() || !std::isfinite(value.get<double>())) {
      fail(key, "this must be a finite number", "write it without quotes");
    }
    return value.get<double>();
  }

  const json& value_;
  std::string file_;
  std::string path_;
};

NetworkFolder::Source read_source(const Section& section, const std::filesystem::path& folder) {
  section.allow({"images", "labels"});
  return {(folder / section.text("images")).string(), (folder / section.text("labels")).string()};
}

void read_preprocessing(const Section& section, NetworkFolder& folder) {
  section.allow({"scale", "mean", "std"});
  folder.pixel_scale = section.number("scale", 1.0);
  folder.mean = section.numbers("mean", 0.0);
  folder.std_dev = section.numbers("std", 1.0);
  if (folder.pixel_scale == 0) section.fail("scale", "the scale is 0", "use 1 for raw pixels");
  for (const double value : folder.std_dev) {
    if (value <= 0) section.fail("std", "every entry must be above 0", "use 1 for no division");
  }
}

void check_channels(const Section& section, const NetworkFolder& folder) {
  const auto channels = static_cast<std::size_t>(folder.network.input.channels);
  for (const char* key : {"mean", "std"}) {
    const std::size_t size = key[0] == 'm' ? folder.mean.size() : folder.std_dev.size();
    if (size != 1 && size != channels) {
      section.fail(key,
                   "there are " + std::to_string(size) + " entries and the network's input has " +
                       std::to_string(channels) + " channels",
                   "give one entry for all channels or one for each");
    }
  }
}

json parse(const std::string& file) {
  try {
    return json::parse(read_file(file));
  } catch (const json::parse_error& error) {
    throw InputError(file, "byte " + std::to_string(error.byte), "this is not JSON",
                     "check the quotes, commas and brackets before that byte");
  }
}

// Checks the shape [count, C, H, W], or what is the same without dimensions of one: [count, H, W]
// for one channel and [count, C] for a 1x1 map. Returns the count.
std::int64_t image_count(const NpyArray& images, const FeatureShape& shape,
                         const std::string& file) {
  const std::int64_t height = shape.height;
  const std::int64_t width = shape.width;
  const std::int64_t channels = shape.channels;
  const std::vector<std::int64_t> tail(images.shape.begin() + (images.shape.empty() ? 0 : 1),
                                       images.shape.end());
  const bool fits = tail == std::vector{channels, height, width} ||
                    (channels == 1 && tail == std::vector{height, width}) ||
                    (height == 1 && width == 1 && tail == std::vector{channels});
  if (images.shape.empty() || !fits) {
    std::string found;
    for (const std::int64_t extent : images.shape) found += std::to_string(extent) + " ";
    throw InputError(file, "shape", "the images are [ " + found + "]",
                     "the network takes [count, " + std::to_string(channels) + ", " +
                         std::to_string(height) + ", " + std::to_string(width) +
                         "] (count, channels, height, width)");
  }
  if (images.shape[0] == 0) {
    throw InputError(file, "shape", "there are no images", "store at least one image");
  }
  return images.shape[0];
}

// ONNX QuantizeLinear of (pixel * scale - mean) / std: the division by the input scale is a float32
// one and halves go to the even neighbour.
std::int8_t quantise(double pixel, double scale, double mean, double std_dev,
                     const Network& network) {
  const auto real = static_cast<float>((pixel * scale - mean) / std_dev);
  const float steps = std::nearbyint(real / network.input_scale);
  const float value = steps + static_cast<float>(network.input_zero_point);
  return static_cast<std::int8_t>(std::clamp(value, -128.0F, 127.0F));
}

std::vector<std::int8_t> quantise_images(const NetworkFolder& folder, const NpyArray& images,
                                         std::int64_t count, const std::string& file) {
  const FeatureShape& shape = folder.network.input;
  const std::int64_t plane = std::int64_t{shape.height} * shape.width;
  std::vector<std::int8_t> pixels(static_cast<std::size_t>(count * shape.elements()));
  NpyArray part{images.type, {}, {}};
  const std::size_t step = images.type == NpyType::uint8 ? 1 : sizeof(float);
  part.bytes.assign(images.bytes.begin(),
                    images.bytes.begin() + static_cast<std::ptrdiff_t>(pixels.size() * step));
  const std::vector<double> values = part.as_double();
  std::size_t from = 0;
  for (std::int64_t image = 0; image < count; ++image) {
    for (int channel = 0; channel < shape.channels; ++channel) {
      const double mean = folder.mean[folder.mean.size() > 1 ? channel : 0];
      const double std_dev = folder.std_dev[folder.std_dev.size() > 1 ? channel : 0];
      for (std::int64_t at = 0; at < plane; ++at, ++from) {
        if (!std::isfinite(values[from])) {
          throw InputError(file, "image " + std::to_string(image), "a pixel is not finite",
                           "remove infinities and NaNs from the images");
        }
        pixels[(image * plane + at) * shape.channels + channel] =
            quantise(values[from], folder.pixel_scale, mean, std_dev, folder.network);
      }
    }
  }
  return pixels;
}

ImageSet load(const NetworkFolder& folder, const NetworkFolder::Source& source, int limit) {
  const NpyArray images = read_npy(source.images);
  if (images.type != NpyType::uint8 && images.type != NpyType::float32) {
    throw InputError(source.images, "", "pixels are neither uint8 nor float32",
                     "convert the images with astype(numpy.uint8) or astype(numpy.float32)");
  }
  std::int64_t count = image_count(images, folder.network.input, source.images);
  const NpyArray label_array = read_npy(source.labels);
  if (label_array.type == NpyType::float32 || label_array.type == NpyType::float64) {
    throw InputError(source.labels, "", "labels are not integers", "store class numbers");
  }
  std::vector<std::int32_t> labels = label_array.as_int32(source.labels);
  if (label_array.shape.size() != 1 || label_array.shape[0] != count) {
    throw InputError(source.labels, "shape",
                     "there are " + std::to_string(labels.size()) + " labels for " +
                         std::to_string(count) + " images",
                     "store one label an image, in a one-dimensional array");
  }
  if (limit > 0) count = std::min<std::int64_t>(count, limit);
  labels.resize(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0 || labels[i] >= folder.network.classes()) {
      throw InputError(source.labels, "element " + std::to_string(i),
                       "label " + std::to_string(labels[i]) + " is not one of the network's " +
                           std::to_string(folder.network.classes()) + " classes",
                       "number the classes from 0");
    }
  }
  return {folder.network.input, quantise_images(folder, images, count, source.images),
          std::vector<int>(labels.begin(), labels.end())};
}

}  // namespace

std::vector<std::int8_t> ImageSet::image(int index) const {
  const auto start = pixels.begin() + std::ptrdiff_t{index} * shape.elements();
  return {start, start + shape.elements()};
}

ImageSet NetworkFolder::load_test(int limit) const {
  return load(*this, test, limit);
}

ImageSet NetworkFolder::load_calibration(int limit) const {
  if (calibration.images.empty()) {
    throw InputError(description_file, "/calibration", "the network has no calibration images",
                     "add \"calibration\": {\"images\": ..., \"labels\": ...} with images that "
                     "are not in the test set");
  }
  return load(*this, calibration, limit);
}

NetworkFolder open_network(const std::string& path) {
  namespace fs = std::filesystem;
  NetworkFolder folder;
  const fs::path given = fs::absolute(path).lexically_normal();
  const fs::path file = fs::is_directory(given) ? given / "network.json" : given;
  const fs::path base = file.parent_path();
  folder.folder = base.string();
  folder.description_file = file.string();

  const json description = parse(folder.description_file);
  const Section root(description, folder.description_file, "");
  root.allow({"$schema", "name", "model", "preprocessing", "test", "calibration", "classes"});
  const std::string name = root.text("name");
  const std::string model = (base / root.text("model")).string();
  folder.test = read_source(root.section("test"), base);
  if (root.has("calibration")) folder.calibration = read_source(root.section("calibration"), base);
  folder.mean = {0.0};
  folder.std_dev = {1.0};
  if (root.has("preprocessing")) read_preprocessing(root.section("preprocessing"), folder);
  if (root.has("classes")) folder.class_names = root.texts("classes");

  folder.network = import_onnx(model);
  folder.network.name = name;
  if (root.has("preprocessing")) check_channels(root.section("preprocessing"), folder);
  if (root.has("classes") &&
      folder.class_names.size() != static_cast<std::size_t>(folder.network.classes())) {
    root.fail("classes",
              "there are " + std::to_string(folder.class_names.size()) +
                  " names and the network has " + std::to_string(folder.network.classes()) +
                  " outputs",
              "name every class, or leave the key out");
  }
  folder.data_digest = sha256(sha256_file(folder.test.images) + sha256_file(folder.test.labels));
  return folder;
}

}  // namespace sagitta
