"""Dialogue: a chat model of half its layers, on task-oriented dialogues, with and without its teacher."""
