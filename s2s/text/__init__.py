"""From text to batches of ids: corpora, tokenizers, batches of similar length."""
