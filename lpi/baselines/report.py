"""What came out of the comparison of LPI with the localized actor-critic: text, table and figure.

python -m lpi.baselines.report --screen ... --result ... --chosen chosen.json --folder FOLDER
"""
