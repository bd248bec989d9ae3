"""The SQL of activation's large tables: delivery, batch, uploaded_file and dead_letter.

Three modules write a delivery, each other columns of it: `desired_state` what is wanted, `claims` who is sending it,
`outcomes` and `file_rows` what came of sending. `deliveries` holds everything else that is asked of the table.

The statements of the hot path are tuned, and their plans are tested: change their text only with a measurement.
"""
