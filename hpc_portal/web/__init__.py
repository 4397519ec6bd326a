"""The pages: server-rendered, translatable, usable without JavaScript."""
