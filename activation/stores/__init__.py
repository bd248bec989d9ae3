"""The SQL of activation's large tables: delivery, batch, uploaded_file and dead_letter.

The modules that write deliveries differ in the columns: `desired_state` writes what is wanted, `claims` who sends it,
`outcomes` and `file_rows` what came of sending. `deliveries` and `bulk_changes` hold every other statement on it.
Whatever changes a delivery goes through `activation_counts`, which keeps count of their states.

The statements of the hot path are tuned, and their plans are tested: change their text only with a measurement.
"""
