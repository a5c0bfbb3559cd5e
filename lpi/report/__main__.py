from lpi.report import main

main()
