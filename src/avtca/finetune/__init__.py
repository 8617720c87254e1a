"""Fine-tuning on a user's own recordings: :func:`avtca.finetune.finetune.finetune`."""
