"""How answers look on each surface: chat, completions, responses, embeddings, lists."""
