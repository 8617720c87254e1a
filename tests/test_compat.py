from avtca.compat import upgrade, upgrade_path


def test_the_record_of_a_run_of_0_1_reads_with_the_keys_of_today():
    run = {
        "recipe": {"batch": 8, "auxiliary": 0.3, "modality_dropout": {"form": "whole"}},
        "train": {"takes": 3, "speakers": ["a"]},
        "provenance": {
            "standardise": "none",
            "start": {"weights_sha256": "x", "people": {"ravdess": ["01"]}},
            "experiment": {
                "clip": {"sound_dim": 64},
                "data": {"standardise": "speaker"},
                "model": {"start": None, "sizes": {"take_features": 35}},
                "train": {"batch": 4, "augmentation": {"visual_noise": 0.1}},
            },
        },
    }
    train_config = {
        "batch_size": 8,
        "auxiliary_weight": 0.3,
        "modality_dropout": {"mode": "whole"},
    }
    assert upgrade(run) == {
        "train_config": train_config,
        "train": {"samples": 3, "speakers": ["a"]},
        "provenance": {
            "normalise": "none",
            "init_from": {"weights_sha256": "x", "speakers": {"ravdess": ["01"]}},
            "experiment": {
                "input": {"audio_dim": 64},
                "data": {"normalise": "speaker"},
                "model": {"init_from": None, "sizes": {"utterance_features": 35}},
                "train": {"batch_size": 4, "augmentation": {"video_noise": 0.1}},
            },
        },
    }
    assert upgrade(upgrade(run)) == upgrade(run)


def test_keys_that_mean_something_else_elsewhere_stay():
    report = {"people": [{"start": 1.0, "form": "x"}], "recipe": "0123456789ab"}
    assert upgrade(report) == report


def test_a_dotted_key_of_0_1_names_the_key_of_today():
    assert upgrade_path(["clip", "sound_dim"]) == ["input", "audio_dim"]
    assert upgrade_path(["model", "start"]) == ["model", "init_from"]
    assert upgrade_path(["train", "modality_dropout", "form"])[-1] == "mode"
    assert upgrade_path(["train", "batch_size"]) == ["train", "batch_size"]
