"""Training of networks on prepared corpora.

A configuration file (:mod:`~avtca.training.config_file`) becomes an
:class:`~avtca.training.config.ExperimentConfig`. :func:`~avtca.training.fold.run_fold` trains one
fold of it and predicts its test samples, :func:`~avtca.training.cross_validate.cross_validate` all
folds with all seeds. Both are built on :func:`~avtca.training.trainer.fit`, which trains one
network on two data sets. Every run can be stopped at any moment and resumed with the same result.
"""
