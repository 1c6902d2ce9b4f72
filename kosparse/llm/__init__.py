"""The language model: load it, serve it, keep it busy, never ask the same thing twice.

``load_llm_model``, ``generate_text`` and ``check_gpu_memory`` are the notebook's functions; steps use
``loader.open_chat_model`` and ``ask.ask``.
"""
