// Writes HDF5 files for tests, dataset for dataset and type for type as asked.

#ifndef IAT_TESTS_NEURAL_HDF5_WRITER_H_
#define IAT_TESTS_NEURAL_HDF5_WRITER_H_

#include <hdf5.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace iat {

class Hdf5Writer {
 public:
  explicit Hdf5Writer(const std::filesystem::path& path) {
    file_ = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    links_ = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links_, 1);
  }
  ~Hdf5Writer() {
    H5Pclose(links_);
    H5Fclose(file_);
  }
  Hdf5Writer(const Hdf5Writer&) = delete;
  Hdf5Writer& operator=(const Hdf5Writer&) = delete;

  hid_t id() const { return file_; }

  void Group(const std::string& path) {
    H5Gclose(H5Gcreate2(file_, path.c_str(), links_, H5P_DEFAULT, H5P_DEFAULT));
  }

  // Stored as `stored` (H5T_STD_..., H5T_IEEE_...), chunked and compressed when `chunk`
  // is not empty.
  void Numbers(const std::string& path, hid_t stored, const std::vector<hsize_t>& shape,
               const std::vector<double>& values,
               const std::vector<hsize_t>& chunk = {}) {
    Dataset(path, stored, H5T_NATIVE_DOUBLE, shape, values.data(), chunk);
  }
  void Doubles(const std::string& path, const std::vector<double>& values) {
    Numbers(path, H5T_IEEE_F64LE, {values.size()}, values);
  }
  void Integers(const std::string& path, const std::vector<int64_t>& values) {
    Dataset(path, H5T_STD_I64LE, H5T_NATIVE_INT64, {values.size()}, values.data(), {});
  }

  // As h5py writes booleans: an enumeration of 8-bit integers.
  void Booleans(const std::string& path, const std::vector<bool>& values) {
    const hid_t type = H5Tenum_create(H5T_NATIVE_INT8);
    int8_t value = 0;
    H5Tenum_insert(type, "FALSE", &value);
    value = 1;
    H5Tenum_insert(type, "TRUE", &value);
    const std::vector<int8_t> raw(values.begin(), values.end());
    Dataset(path, type, type, {raw.size()}, raw.data(), {});
    H5Tclose(type);
  }

  // Text of variable length, UTF-8, as h5py and pynwb write it.
  void Strings(const std::string& path, const std::vector<std::string>& values) {
    const hid_t type = VariableText();
    std::vector<const char*> pointers;
    for (const std::string& value : values) pointers.push_back(value.c_str());
    Dataset(path, type, type, {values.size()}, pointers.data(), {});
    H5Tclose(type);
  }
  void Text(const std::string& path, const std::string& value) {
    const hid_t type = VariableText();
    const char* pointer = value.c_str();
    Dataset(path, type, type, {}, &pointer, {});
    H5Tclose(type);
  }
  // Text of a fixed length, padded with zeros, as NWB 1 has it.
  void FixedText(const std::string& path, const std::string& value) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, value.size() + 3);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    std::string padded = value;
    padded.resize(value.size() + 3, '\0');
    Dataset(path, type, type, {}, padded.data(), {});
    H5Tclose(type);
  }
  void Attribute(const std::string& object, const std::string& name,
                 const std::string& value) {
    const hid_t type = VariableText();
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t attribute =
        H5Acreate_by_name(file_, object.c_str(), name.c_str(), type, space, H5P_DEFAULT,
                          H5P_DEFAULT, H5P_DEFAULT);
    const char* pointer = value.c_str();
    H5Awrite(attribute, type, &pointer);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
  }
  void Delete(const std::string& path) { H5Ldelete(file_, path.c_str(), H5P_DEFAULT); }

  void Dataset(const std::string& path, hid_t stored, hid_t memory,
               const std::vector<hsize_t>& shape, const void* values,
               const std::vector<hsize_t>& chunk) {
    const hid_t space = shape.empty() ? H5Screate(H5S_SCALAR)
                                      : H5Screate_simple(static_cast<int>(shape.size()),
                                                         shape.data(), nullptr);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    if (!chunk.empty()) {
      H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
      H5Pset_shuffle(creation);
      H5Pset_deflate(creation, 1);
    }
    const hid_t dataset =
        H5Dcreate2(file_, path.c_str(), stored, space, links_, creation, H5P_DEFAULT);
    if (dataset < 0) std::abort();
    if (values != nullptr) {
      H5Dwrite(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    }
    H5Dclose(dataset);
    H5Pclose(creation);
    H5Sclose(space);
  }

 private:
  static hid_t VariableText() {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
  }

  hid_t file_ = -1, links_ = -1;
};

}  // namespace iat

#endif  // IAT_TESTS_NEURAL_HDF5_WRITER_H_
