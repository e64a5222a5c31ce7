"""Run the records of a batch: one after another, in threads, or as tasks. All of them drive one step."""
