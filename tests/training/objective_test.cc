#include "training/objective.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/fingerprint.h"
#include "models/torch.h"
#include "tests/training/objectives_world.h"
#include "training/barlow_twins.h"
#include "training/heads.h"
#include "training/instance_recognition.h"
#include "training/moco.h"
#include "training/simclr.h"
#include "training/simsiam.h"
#include "training/trainer.h"
#include "training/vicreg.h"

namespace iat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(ObjectiveTest, TheRegistryHoldsTheFieldsObjectives) {
  EXPECT_THAT(ObjectiveNames(), ElementsAre("instance_recognition", "simclr", "moco_v2",
                                            "simsiam", "barlow_twins", "vicreg", "rotnet",
                                            "autoencoder", "supervised"));
  for (const std::string& name : ObjectiveNames()) {
    EXPECT_FALSE(WordsOf(name).title.empty());
    EXPECT_FALSE(WordsOf(name).loss_name.empty());
  }
}

TEST_F(ObjectiveTest, AnUnknownNameIsAnsweredWithTheNamesThereAre) {
  ObjectiveOptions options;
  options.name = "byol";
  EXPECT_THAT(std::string(CreateObjective(options, Setup()).status().message()),
              HasSubstr("no objective \"byol\"; there are instance_recognition, simclr, "
                        "moco_v2, "));
}

// A key of every objective, as the config has it.
TEST_F(ObjectiveTest, EachHasATableOfItsOwnUnlessThereIsNothingToSet) {
  ObjectiveOptions options;
  const std::string all = OptionsText(options);
  for (const char* key :
       {"instance_recognition.num_noise", "simclr.temperature", "moco_v2.queue_size",
        "simsiam.projection_size", "barlow_twins.redundancy_weight",
        "vicreg.deviation_weight", "autoencoder.sparsity_weight"}) {
    EXPECT_THAT(all, HasSubstr(key));
  }
  EXPECT_THAT(all, Not(HasSubstr("rotnet")));
  options.name = "moco_v2";
  options.chosen_only = true;
  options.Of<MomentumContrast>().queue_size = 77;
  options.Of<SimClr>().temperature = 0.3;
  const std::string chosen = OptionsText(options);
  EXPECT_THAT(chosen, HasSubstr("moco_v2.queue_size = 77\n"));
  EXPECT_THAT(chosen, Not(HasSubstr("simclr")));
}

TEST_F(ObjectiveTest, TablesAreValues) {
  ObjectiveOptions a;
  a.Of<SimClr>().temperature = 0.3;
  const ObjectiveOptions b = a;
  a.Of<SimClr>().temperature = 0.4;
  EXPECT_EQ(b.Get<SimClr>().temperature, 0.3);
  EXPECT_EQ(b.Get<InstanceRecognition>().temperature, 0.07);
}

// Names under which checkpoints hold what is kept between steps.
TEST_F(ObjectiveTest, EachIsMadeLearnsAndFollowsItsSeeds) {
  for (const std::string& name : ObjectiveNames()) {
    SCOPED_TRACE(name);
    TrainingOptions training = TrainingOptions::DefaultsFor(name);
    EXPECT_TRUE(training.augmentation.Validate().ok());
    // The published heads of 8,192 fill gigabytes.
    training.objective.Of<SimSiam>().projection_size = 32;
    training.objective.Of<BarlowTwins>().projection_size = 32;
    training.objective.Of<VicReg>().projection_size = 32;
    training.objective.Of<MomentumContrast>().queue_size = 32;
    const auto made = CreateObjective(training.objective, Setup(1, 1));
    ASSERT_TRUE(made.ok()) << made.status();
    Objective& objective = **made;
    const TrainingBatch batch = Batch(objective.num_views());
    const auto result = objective.Loss(*model_, batch, {});
    EXPECT_TRUE(std::isfinite(result.loss.item<double>()));
    EXPECT_FALSE(result.embeddings.requires_grad());
    EXPECT_LT((result.embeddings.norm(2, 1) - 1).abs().max().item<double>(), 1e-5);
    ExpectGradientsEverywhere(objective, batch);
    EXPECT_FALSE(objective.CollapseAdvice().empty());
    const auto same = CreateObjective(training.objective, Setup(1, 1));
    const auto other_init = CreateObjective(training.objective, Setup(2, 1));
    const auto other_data = CreateObjective(training.objective, Setup(1, 2));
    bool init_matters = false;
    const auto fresh = StateDict(**same);
    const auto reinitialised = StateDict(**other_init),
               reseeded = StateDict(**other_data);
    for (const auto& item : (*same)->named_parameters()) {
      const auto& value = fresh.at(item.key());
      init_matters = init_matters || !torch::equal(reinitialised.at(item.key()), value);
      EXPECT_TRUE(torch::equal(reseeded.at(item.key()), value)) << item.key();
    }
    EXPECT_TRUE(init_matters);
    for (auto& parameter : model_->parameters()) parameter.mutable_grad().reset();
  }
}

TEST_F(ObjectiveTest, RecipesAreThePublishedOnes) {
  struct Published {
    const char *name, *optimizer, *schedule;
    int64_t epochs, batch;
    double rate, weight_decay;
    bool follows;
  };
  for (const Published& p :
       {Published{"instance_recognition", "sgd", "step", 200, 256, 0.003, 5e-4, false},
        {"simclr", "lars", "cosine", 200, 4096, 4.8, 1e-6, true},
        {"moco_v2", "sgd", "cosine", 200, 512, 0.06, 5e-4, true},
        {"simsiam", "sgd", "cosine", 100, 512, 0.1, 1e-4, true},
        {"barlow_twins", "lars", "cosine", 1000, 2048, 1.6, 1e-6, true},
        {"vicreg", "lars", "cosine", 1000, 2048, 1.6, 1e-6, true},
        {"rotnet", "sgd", "step", 50, 192, 0.01, 5e-4, false},
        {"autoencoder", "sgd", "step", 100, 256, 0.01, 5e-4, false},
        {"supervised", "sgd", "step", 100, 256, 0.01, 5e-4, false}}) {
    SCOPED_TRACE(p.name);
    const TrainingRecipe recipe = RecipeOf(p.name);
    EXPECT_EQ(recipe.optimizer.optimizer, p.optimizer);
    EXPECT_EQ(recipe.optimizer.momentum, 0.9);
    EXPECT_EQ(recipe.optimizer.weight_decay, p.weight_decay);
    EXPECT_EQ(recipe.optimizer.nesterov, std::string(p.name) == "rotnet");
    EXPECT_EQ(recipe.schedule.schedule, p.schedule);
    EXPECT_EQ(recipe.schedule.learning_rate, p.rate);
    EXPECT_EQ(recipe.epochs, p.epochs);
    EXPECT_EQ(recipe.batch_size, p.batch);
    EXPECT_EQ(recipe.rate_follows_batch, p.follows);
  }
}

// The example of docs/objectives.md.
class Parity : public Objective {
 public:
  struct Options {};
  static constexpr char kName[] = "parity";
  static constexpr char kTitle[] = "Parity";
  static constexpr char kLossName[] = "cross-entropy";
  static constexpr char kSummary[] = "is the class even";
  static TrainingRecipe Recipe() { return {.augmentation = CropAugmentation()}; }
  static absl::StatusOr<std::shared_ptr<Objective>> Create(const Options&,
                                                           const ObjectiveSetup& setup) {
    if (setup.num_labels == 0) return absl::InvalidArgumentError("parity needs classes");
    return std::make_shared<Parity>(setup);
  }

  explicit Parity(const ObjectiveSetup& setup)
      : head_(register_module("head", torch::nn::Linear(setup.model.num_features(), 2))) {
    InitializeParameters(*this, setup.init_seed, "objective.");
  }
  int num_views() const override { return 1; }
  Result Loss(VisionModel& model, const TrainingBatch& batch,
              const TapContext& context) override {
    const auto features = model.Forward(batch.images, context);
    return {.loss = torch::nn::functional::cross_entropy(head_(features),
                                                         batch.labels.remainder(2)),
            .embeddings = torch::nn::functional::normalize(features.detach())};
  }

 private:
  torch::nn::Linear head_;
};

TEST_F(ObjectiveTest, TheExampleOfTheDocumentationIsOne) {
  ObjectiveSetup setup = Setup();
  setup.num_labels = 0;
  EXPECT_EQ(Parity::Create({}, setup).status().message(), "parity needs classes");
  const auto made = Parity::Create({}, Setup());
  ASSERT_TRUE(made.ok());
  for (auto& parameter : (*made)->parameters()) torch::nn::init::zeros_(parameter);
  EXPECT_NEAR((*made)->Loss(*model_, Batch(1), {}).loss.item<double>(), std::log(2.0),
              1e-6);
  ExpectGradientsEverywhere(**made, Batch(1));
}

TEST(ProjectorTest, HasPyTorchsNamesAndTheLayersAskedFor) {
  const auto names = [](const ProjectorLayout& layout) {
    std::vector<std::string> result;
    for (const auto& item : MakeProjector(layout)->named_parameters()) {
      result.push_back(item.key());
    }
    return result;
  };
  EXPECT_THAT(names({.sizes = {4, 3, 2}}), ElementsAre("0.weight", "0.bias", "1.weight",
                                                       "1.bias", "3.weight", "3.bias"));
  EXPECT_THAT(names({.sizes = {4, 3, 2}, .batch_norm = false}),
              ElementsAre("0.weight", "0.bias", "2.weight", "2.bias"));
  EXPECT_THAT(
      names({.sizes = {4, 3, 2},
             .bias = false,
             .output_bias = false,
             .output_batch_norm = true}),
      ElementsAre("0.weight", "1.weight", "1.bias", "3.weight", "4.weight", "4.bias"));
}

TEST_F(ObjectiveTest, PassesDrawTheirOwnDropoutMasks) {
  const RandomStream step(1, "dropout", 5);
  std::set<uint64_t> first_words;
  for (const uint32_t pass : {0u, 1u, 2u}) {
    RandomStream stream = PassDropout(step, pass), again = PassDropout(step, pass);
    const uint64_t word = stream.NextU64();
    EXPECT_EQ(again.NextU64(), word);
    first_words.insert(word);
  }
  EXPECT_EQ(first_words.size(), 3u);
  RandomStream untouched = step, zeroth = PassDropout(step, 0);
  EXPECT_EQ(untouched.NextU64(), zeroth.NextU64());
}

TEST(PartialStatisticsTest, ShareTheMomentumWhileTheyLive) {
  const auto network = MakeProjector({.sizes = {4, 3, 3, 2}});
  const auto momenta = [&] {
    std::vector<double> found;
    for (const auto& module : network->modules(/*include_self=*/false)) {
      if (const auto* norm = module->as<torch::nn::BatchNorm1d>()) {
        found.push_back(norm->options.momentum().value());
      }
    }
    return found;
  };
  {
    const PartialStatistics statistics(*network, 5);
    EXPECT_THAT(momenta(), ElementsAre(0.02, 0.02));
  }
  EXPECT_THAT(momenta(), ElementsAre(0.1, 0.1));
}

TEST_F(ObjectiveTest, ViewsAreNormalisedOneByOne) {
  TrainingBatch batch = Batch(2);
  // The second views are brighter: one common batch norm would tell them apart.
  const auto second = batch.images.slice(0, kNumImages);
  second.copy_(batch.images.slice(0, 0, kNumImages) * 3.0 + 2.0);
  const auto features = ForwardViews(*model_, batch, 2, {});
  ASSERT_EQ(features.size(), 2u);
  const auto alone = model_->Forward(second.clone(), {});
  EXPECT_TRUE(torch::equal(features[1], alone));
  // With dropout, equal views differ by their masks.
  second.copy_(batch.images.slice(0, 0, kNumImages));
  const RandomStream dropout(1, "dropout", 0);
  const auto masked = ForwardViews(*model_, batch, 2, {.dropout = &dropout});
  EXPECT_FALSE(torch::equal(masked[0], masked[1]));
}

}  // namespace
}  // namespace iat
